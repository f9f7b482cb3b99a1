"""List the scans to evaluate: the items of a datalist with liver masks, and one labelled LiTS scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import find_list_file, read_sections
from scripts.lidia.inference.result_files import write_volume

LITS_ID = "lits117"
LITS_SIZE = 128
LITS_SPACING_MM = 1.4
"""The files give no spacing; with 1.4 mm isotropic the liver has 1.7 l."""
MRC_HEADER_BYTES = 1024


@dataclass(frozen=True)
class Scan:
    """One study to evaluate."""

    id: str
    phases: dict[str, str]
    """Path by phase."""
    liver: str
    """Liver mask on the grid of the reference phase: positive inside."""
    lesions: str | None = None
    """Lesion labels on that grid: 2 is a lesion. None if the lesions are not labelled."""


def list_scans(
    data_dir: str | Path,
    *,
    lits_dir: str | Path | None = None,
    temporary: str | Path,
) -> list[Scan]:
    """List the scans of a folder, and the LiTS scan if its folder is given.

    Args:
        data_dir: folder of a datalist whose items have `phases` and `liver`; all sections are used.
        lits_dir: folder of `img_117.mrc` and `lab_117.mrc`.
        temporary: folder for the NIfTI files of the LiTS scan.

    Raises:
        CaseError: an item has no liver mask.
    """
    path = find_list_file(Path(data_dir), None)
    scans = []
    for item in (item for items in read_sections(path).values() for item in items):
        if not isinstance(item.get("liver"), str):
            raise CaseError(item["id"], str(path), "no liver mask", "add `liver` to the item", "no_liver")
        scans.append(Scan(item["id"], dict(item["phases"]), item["liver"]))
    if lits_dir is not None:
        scans.append(convert_lits_scan(lits_dir, temporary))
    return scans


def convert_lits_scan(lits_dir: str | Path, output_dir: str | Path) -> Scan:
    """Convert the LiTS scan of the package liver-ct-segmentation-package 1.6.0 to NIfTI.

    The axes of the arrays run from right to left, anterior to posterior and inferior to superior.

    Args:
        lits_dir: folder of `img_117.mrc` (HU, float32) and `lab_117.mrc` (int16: 1 liver, 2 lesion).
        output_dir: folder of the NIfTI files.
    """
    affine = np.diag([-LITS_SPACING_MM, -LITS_SPACING_MM, LITS_SPACING_MM, 1.0])
    image, label = Path(output_dir) / f"{LITS_ID}.nii.gz", Path(output_dir) / f"{LITS_ID}_label.nii.gz"
    write_volume(image, read_mrc(Path(lits_dir) / "img_117.mrc", "<f4"), affine)
    write_volume(label, read_mrc(Path(lits_dir) / "lab_117.mrc", "<i2").astype(np.uint8), affine)
    return Scan(LITS_ID, {"venous": str(image)}, str(label), str(label))


def read_mrc(path: Path, dtype: str) -> NDArray:
    """Read an MRC volume of 128 x 128 x 128 voxels as it is stored, `(X, Y, Z)` in C order.

    Raises:
        CaseError: the file does not exist or has another size.
    """
    remedy = "unpack data/*.mrc of the wheel liver-ct-segmentation-package 1.6.0"
    if not path.is_file():
        raise CaseError(LITS_ID, str(path), "the file does not exist", remedy, "missing")
    voxels = path.read_bytes()[MRC_HEADER_BYTES:]
    expected = LITS_SIZE**3 * np.dtype(dtype).itemsize
    if len(voxels) != expected:
        problem = f"{len(voxels)} bytes of voxels instead of {expected}"
        raise CaseError(LITS_ID, str(path), problem, remedy, "truncated")
    return np.frombuffer(voxels, dtype).reshape((LITS_SIZE,) * 3)


def read_mask(path: str, shape: Sequence[int], case: str) -> NDArray[np.uint8]:
    """Read a label map and check that it has the shape of the result.

    Args:
        path: NIfTI file.
        shape: size X, Y, Z of the result.
        case: id of the scan.

    Raises:
        CaseError: the shapes differ.
    """
    mask = np.asarray(nib.load(path).dataobj).astype(np.uint8)
    if mask.shape != tuple(shape):
        problem = f"the mask has shape {mask.shape}, the result {tuple(shape)}"
        raise CaseError(case, path, problem, "give the mask of the reference phase", "grid")
    return mask
