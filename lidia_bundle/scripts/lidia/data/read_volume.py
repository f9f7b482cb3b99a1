"""Reads one volume and checks its voxels: HU of a phase, or whole numbers of a mask."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import BRIGHT_HU, BRIGHT_SHARE, COPY, check_header, open_nifti

HU = (-1024.0, 3071.0)
"""HU range of a 12-bit CT; scanners pad with -2000 or -3024 outside their field of view."""

METAL, MUCH_METAL_ML = 3000.0, 5.0
"""HU above which a voxel is metal, and the volume of metal (ml) above which a warning is given."""

Volume = tuple[NDArray[np.float32], NDArray[np.float64], list[CaseError]]


def read_phase(path: str | Path, case: str, check_hu: bool = True) -> Volume:
    """Reads a contrast phase.

    Args:
        path: NIfTI file, or a folder with one DICOM series.
        case: id of the case, for messages.
        check_hu: refuses volumes whose values cannot be HU (MRI, windowed or normalised exports).

    Returns:
        HU (X, Y, Z) within -1024..3071 and finite; the RAS affine (mm); remarks.

    Raises:
        CaseError: if the file cannot be read or does not hold a CT.
    """
    if Path(path).is_dir():
        from scripts.lidia.dicom.series import read_series  # a training on NIfTI never loads it

        voxels, affine, remarks = read_series(path, case=case)
    else:
        voxels, affine, remarks = read_nifti(path, case)
    # NaN and infinity appear in minimum and maximum, which are cheaper than a mask of all voxels
    ends = (voxels.min(initial=HU[1]), voxels.max(initial=HU[0]))
    bad = 0 if np.isfinite(ends).all() else int(voxels.size - np.isfinite(voxels).sum())
    if bad:
        share = bad / voxels.size
        if share >= 0.01:
            problem = f"{share:.0%} of the voxels are not finite"
            raise CaseError(case, str(path), problem, COPY, "not_finite")
        problem = f"{bad} voxels are not finite and were set to air"
        remarks.append(CaseError(case, str(path), problem, COPY, "not_finite", "warning"))
        voxels = np.nan_to_num(voxels, copy=False, nan=HU[0], posinf=HU[0], neginf=HU[0])
    metal = float((voxels >= METAL).sum() * abs(np.linalg.det(affine[:3, :3])) / 1000)
    if metal > MUCH_METAL_ML:
        problem = f"{metal:.0f} ml of metal: its streaks may look like lesions"
        remarks.append(CaseError(case, str(path), problem, "look at the region", "metal", "warning"))
    if bad or ends[0] < HU[0] or ends[1] > HU[1]:
        voxels = np.clip(voxels, *HU, out=voxels)
    if check_hu:
        remarks += _check_hu(voxels, case, str(path))
    return voxels, affine, remarks


def read_mask(
    path: str | Path, case: str, highest: int, binary: bool = False, also: Sequence[int] = ()
) -> Volume:
    """Reads a label map, an instance map or a mask.

    Args:
        path: NIfTI file.
        case: id of the case, for messages.
        highest: highest value allowed.
        binary: converts any positive value to 1 (masks are often stored as 0 and 255).
        also: further values that are allowed.

    Returns:
        Whole numbers 0..highest, or of `also`, as float32 (X, Y, Z); the RAS affine (mm); remarks.

    Raises:
        CaseError: if the file cannot be read, or holds other values.
    """
    voxels, affine, remarks = read_nifti(path, case)
    bad = int(voxels.size - np.isfinite(voxels).sum())
    if bad:
        raise CaseError(
            case, str(path), f"{bad} voxels are not finite", "write the mask as integers", "bad_label"
        )
    if binary:
        return (voxels > 0).astype(np.float32), affine, remarks
    whole = np.rint(voxels)
    worst = float(np.abs(voxels - whole).max(initial=0))
    if worst > 1e-3:
        problem = f"values are not whole numbers (off by up to {worst:.3g})"
        remedy = "write the mask as integers, and resample masks by nearest neighbour"
        raise CaseError(case, str(path), problem, remedy, "bad_label")
    values, counts = np.unique(whole, return_counts=True)
    more = also if set(values) - {0, *also} else ()  # a mask of 0 and 255 only does not define its class
    wrong = [
        f"{v:g} ({n} voxels)"
        for v, n in zip(values, counts, strict=True)
        if not 0 <= v <= highest and v not in more
    ]
    if wrong:
        hint = "; a mask of 0 and 255 must name its class (0 to 9)" if set(values) <= {0, 255} else ""
        problem = f"values outside 0..{highest}: {', '.join(wrong[:8])}{hint}"
        raise CaseError(
            case, str(path), problem, "map the values to the classes of the datalist", "bad_label"
        )
    return whole, affine, remarks


def read_nifti(path: str | Path, case: str) -> Volume:
    """Reads the voxels of a NIfTI file by nibabel, since other readers fill truncated files with zeros.

    Args:
        path: .nii or .nii.gz file.
        case: id of the case, for messages.

    Returns:
        Scaled voxels float32 (X, Y, Z) in the order of the file; its RAS affine (mm); remarks on the header.

    Raises:
        CaseError: if the header is invalid (see `check_header`) or the file is truncated or damaged.
    """
    remarks = check_header(path, case=case)
    image = open_nifti(path, case)
    try:
        if str(path).lower().endswith(".gz"):
            content, checked = _unzip(Path(path).read_bytes())
            image = type(image).from_bytes(content)
            if not checked:
                problem = (
                    "the end of the file is missing, and the checksum with it: its voxels were not checked"
                )
                remarks.append(CaseError(case, str(path), problem, COPY, "no_checksum", "warning"))
        voxels = image.get_fdata(dtype=np.float32, caching="unchanged")
    except (EOFError, OSError, OverflowError, ValueError, zlib.error) as error:
        cut = isinstance(error, EOFError) or "Expected" in str(error)
        problem = f"the file is {'truncated' if cut else 'damaged'} ({error})"
        raise CaseError(case, str(path), problem, COPY, "truncated" if cut else "damaged") from error
    voxels = voxels.reshape(voxels.shape[:3])
    if isinstance(voxels, np.memmap) or not voxels.flags.writeable:
        voxels = np.array(voxels)  # callers change the voxels in place; the file must not change
    return voxels, np.asarray(image.affine, dtype=np.float64), remarks


def _unzip(raw: bytes) -> tuple[bytes, bool]:
    """Unzips a file and verifies its checksum, which nibabel does not read.

    Returns:
        The content, and whether its checksum was present.
    """
    parts, checked = [], True
    while raw:
        member = zlib.decompressobj(wbits=31)
        parts.append(member.decompress(raw))
        # a file cut behind the voxels is complete; nibabel detects one that is cut within them
        raw, checked = (member.unused_data, True) if member.eof else (b"", False)
    return (
        parts[0] if len(parts) == 1 else b"".join(parts)
    ), checked  # one part is not copied: it may be large


def _check_hu(voxels: NDArray[np.float32], case: str, path: str) -> list[CaseError]:
    sample = voxels[::2, ::2, ::2]
    low, high = np.percentile(sample, (0.5, 99.5))
    spread = float(sample.std())
    statistics = f"0.5 % of the voxels lie below {low:.0f}, 0.5 % above {high:.0f}, their SD is {spread:.0f}"
    # every CT of an abdomen holds fat (-100 HU) or air; MRI, windowed and shifted exports start at 0
    bright = float((sample > BRIGHT_HU).mean())
    if bright > BRIGHT_SHARE:
        statistics += f", {bright:.0%} of them lie above {BRIGHT_HU:.0f}"
    if low > -20 or high < 50 or spread < 1 or bright > BRIGHT_SHARE:
        remedy = "give a CT in HU (check the rescale intercept), or set check_hu to false"
        raise CaseError(case, path, f"the values are not HU: {statistics}", remedy, "not_hu")
    if low > -200:
        problem = f"the volume holds almost no air: {statistics}"
        return [CaseError(case, path, problem, "check that the values are HU", "no_air", "warning")]
    return []
