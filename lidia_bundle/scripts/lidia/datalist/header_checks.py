"""Checks that the files of a case exist and that their NIfTI headers are valid, without reading voxels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from scripts.lidia.datalist.case_error import CaseError

SPACING_MM = (0.2, 15.0)
EXTENT_MM = (30.0, 1500.0)
MIN_SLICES = 8
BRIGHT_HU, BRIGHT_SHARE = 800.0, 0.08
"""Values above BRIGHT_HU are dense bone, calcium or metal; at most this share of a scan may have them."""
COPY = "copy or export the file again"


def check_item(item: Mapping[str, Any]) -> list[CaseError]:
    """Collects the errors and warnings of all files of a case.

    Returns:
        CaseErrors of severity "error" and "warning"; empty if there are none. DICOM folders are only checked
        for existence.
    """
    files = dict(item["phases"])
    files.update({k: item[k] for k in ("label", "liver", "instances") if isinstance(item.get(k), str)})
    faults: list[CaseError] = []
    for file in files.values():
        if Path(file).is_dir():
            continue
        try:
            faults += check_header(file, case=item["id"])
        except CaseError as fault:
            faults.append(fault)
    return faults


def check_header(path: str | Path, *, case: str = "", assume_affine: bool = False) -> list[CaseError]:
    """Checks the header of a NIfTI file; missing geometry is an error and is never guessed.

    Args:
        path: the file, .nii or .nii.gz.
        case: id of the case, for error messages.
        assume_affine: accept a file without orientation (neither qform nor sform).

    Returns:
        CaseErrors of severity "warning".

    Raises:
        CaseError: if the file is missing, empty, damaged or not NIfTI; if it has more than three dimensions,
            fewer than 8 slices or voxels that are not real numbers; if its affine is absent, singular or
            contradictory; or if its spacing (0.2 to 15 mm) or extent (30 to 1500 mm) is out of range.
    """
    case = case or Path(path).name
    fault = partial(CaseError, case, str(path))
    image = open_nifti(path, case)
    header = image.header

    shape = header.get_data_shape()
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) > 3:
        problem = f"{len(shape)}-D with {shape[-1]} volumes (shape {shape})"
        raise fault(problem, "list each phase as its own 3-D file", "not_3d")
    if len(shape) < 3 or min(shape) < MIN_SLICES:
        raise fault(f"shape {shape}: fewer than {MIN_SLICES} slices", "give the whole volume", "too_flat")
    dtype = header.get_data_dtype()
    if dtype.fields is not None or dtype.kind not in "iuf":
        raise fault(f"voxels of type {dtype} are not CT numbers", "export as int16 or float32", "bad_dtype")
    forms = int(header["qform_code"]), int(header["sform_code"])
    if forms == (0, 0) and not assume_affine:
        problem = "the header has no orientation (qform and sform codes are 0), so left and right are unknown"
        raise fault(problem, "export again with orientation, from DICOM if you can", "no_orientation")
    affine = np.asarray(image.affine, dtype=float)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise fault("the affine is singular or not finite", "export again with a valid affine", "bad_affine")
    warnings = _compare_forms(image, case, str(path)) if min(forms) > 0 else []
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    extent = spacing * np.asarray(shape)
    if spacing.min() < SPACING_MM[0] or spacing.max() > SPACING_MM[1]:
        problem = f"spacing {_mm(spacing)} is outside {SPACING_MM[0]} to {SPACING_MM[1]} mm"
        raise fault(problem, "check the unit: spacing must be in millimetres", "bad_spacing")
    if extent.min() < EXTENT_MM[0] or extent.max() > EXTENT_MM[1]:
        problem = f"extent {_mm(extent)} is outside {EXTENT_MM[0]:g} to {EXTENT_MM[1]:g} mm"
        raise fault(problem, "check the unit of the spacing, and that the volume is whole", "bad_extent")
    axes = affine[:3, :3] / spacing
    if np.abs(axes.T @ axes - np.eye(3)).max() > 1e-3:
        warnings.append(fault("the affine is sheared", "check the export", "sheared", "warning"))
    return warnings


def open_nifti(path: str | Path, case: str) -> nib.Nifti1Image:
    """Opens a NIfTI file (.nii, .nii.gz) without reading its voxels.

    Raises:
        CaseError: if the file is missing, empty, damaged or not NIfTI.
    """
    path = Path(path)
    fault = partial(CaseError, case, str(path))
    if not path.is_file():
        raise fault("there is no such file", "check the path in the datalist", "missing")
    if path.stat().st_size == 0:
        raise fault("the file is empty (0 bytes)", COPY, "empty_file")
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        remedy = "convert it to NIfTI, or pass the folder of its DICOM series"
        if path.name.lower().endswith((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")):
            remedy = "pass it by --dicom_dir, which unpacks ZIP and TAR, or unpack it and pass the folder"
        raise fault("not a .nii or .nii.gz file", remedy, "not_nifti")
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    if zipped != path.name.lower().endswith(".gz"):
        state = "" if zipped else "not "
        problem = f"the content of {path.name} is {state}gzip-compressed, which its extension contradicts"
        raise fault(problem, "download it again, or rename it if it is NIfTI", "wrong_ending")
    try:
        image = nib.load(path)
    except Exception as error:  # nibabel, gzip and zlib raise many types for an unreadable header
        problem = f"the header cannot be read ({type(error).__name__}: {error})"
        raise fault(problem, COPY, "not_nifti") from error
    if not isinstance(image, nib.Nifti1Image | nib.Nifti2Image):
        raise fault(f"{type(image).__name__}, not NIfTI", "convert it to NIfTI", "not_nifti")
    return image


def _compare_forms(image: nib.Nifti1Image, case: str, file: str) -> list[CaseError]:
    """Compares qform and sform, because readers differ in which of the two they use.

    Raises:
        CaseError: if they disagree by more than a voxel or 1 %, or if the qform is invalid.
    """
    shape = np.asarray(image.shape[:3])
    try:
        q, s = image.get_qform(coded=False), image.get_sform(coded=False)
    except ValueError as error:  # raised by nibabel for invalid quaternions
        problem = f"the qform is not a rotation ({error})"
        raise CaseError(case, file, problem, "export again with a valid affine", "bad_affine") from error
    if not np.isfinite(q).all() or abs(np.linalg.det(q[:3, :3])) < 1e-9:
        return []
    spacings = [np.linalg.norm(m[:3, :3], axis=0) for m in (q, s)]
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij")).reshape(3, -1)
    shift = np.abs((q - s)[:3, :3] @ corners + (q - s)[:3, 3:]).max() / spacings[1].min()
    stretch = np.abs(spacings[0] / spacings[1] - 1).max()
    if stretch <= 1e-3 and shift <= 0.1:
        return []
    difference = f"spacing {_mm(spacings[0])} and {_mm(spacings[1])}, {shift:.1f} voxels apart"
    problem = f"qform and sform disagree ({difference})"
    severity = "error" if stretch > 0.01 or shift > 1 else "warning"
    fault = CaseError(case, file, problem, "export again, or delete the wrong form", "two_forms", severity)
    if severity == "error":
        raise fault
    return [fault]


def _mm(values: np.ndarray) -> str:
    return " x ".join(f"{v:.3g}" for v in values) + " mm"
