"""Reads masks in NIfTI or NRRD as integers with a RAS affine (mm)."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from monai.data import ITKReader
from numpy.typing import NDArray

from scripts.lidia.data.read_volume import read_mask
from scripts.lidia.datalist.case_error import CaseError

MAX_VALUE = 65535


def read_mask_file(path: Path, case: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Reads a mask from .nii, .nii.gz or .nrrd.

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
    """Reads an NRRD file with ITK.

    Raises:
        CaseError: if it is damaged, or is not 3-D.
    """
    with warnings.catch_warnings():
        # If SWIG's deprecation warnings are errors, the interpreter crashes while ITK's modules load.
        warnings.simplefilter("ignore")
        try:
            reader = ITKReader()
            values, meta = reader.get_data(reader.read(path))
        except Exception as error:  # ITK raises RuntimeError and its own types
            problem = f"the file is damaged ({str(error).strip().splitlines()[-1]})"
            raise CaseError(case, str(path), problem, "copy it again", "damaged") from error
    if values.ndim != 3:
        problem = f"{values.ndim}-D, shape {values.shape}"
        raise CaseError(case, str(path), problem, "store the mask as one 3-D volume", "not_3d")
    return np.rint(values.astype(np.float64)).astype(np.int64), np.asarray(meta["affine"], float)
