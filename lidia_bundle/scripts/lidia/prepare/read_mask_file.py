"""Reads masks in NIfTI or NRRD as integers with a RAS affine (mm)."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.data.read_volume import read_mask
from scripts.lidia.datalist.case_error import CaseError

MAX_VALUE = 65535


def read_mask_file(path: Path, case: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Reads a mask.

    Args:
        path: .nii, .nii.gz or .nrrd.
        case: id of the case, for error messages.

    Returns:
        Values (X, Y, Z) and the RAS affine (mm).

    Raises:
        CaseError: if the file is missing, damaged, or not a mask.
    """
    if not path.name.lower().endswith(".nrrd"):
        values, affine, _ = read_mask(path, case, MAX_VALUE)
        return values.astype(np.int64), affine
    if not path.is_file():
        raise CaseError(case, str(path), "there is no such file", "check the layout of the folder", "missing")
    return _read_nrrd(path, case)


def _read_nrrd(path: Path, case: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Reads an NRRD file with ITK, which uses LPS coordinates.

    Raises:
        CaseError: if it is damaged, or is not 3-D.
    """
    with warnings.catch_warnings():
        # If SWIG's deprecation warnings are errors, the interpreter crashes while ITK's modules load.
        warnings.simplefilter("ignore")
        import itk

        try:
            image = itk.imread(str(path))
            values = itk.array_from_image(image)
        except Exception as error:  # ITK raises RuntimeError and its own types
            problem = f"the file is damaged ({str(error).strip().splitlines()[-1]})"
            raise CaseError(case, str(path), problem, "copy it again", "damaged") from error
        if values.ndim != 3:
            problem = f"{values.ndim}-D, shape {values.shape}"
            raise CaseError(case, str(path), problem, "store the mask as one 3-D volume", "not_3d")
        direction = itk.array_from_matrix(image.GetDirection())
        affine = np.eye(4)
        affine[:3, :3] = direction * np.asarray(image.GetSpacing())
        affine[:3, 3] = np.asarray(image.GetOrigin())
    integers = np.rint(values.T.astype(np.float64)).astype(np.int64)
    return integers, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
