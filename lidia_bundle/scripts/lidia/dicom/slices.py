"""The steps from the files of a folder to one stack of slices; each says what is wrong in its own words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import MIN_SLICES
from scripts.lidia.dicom.even_grid import straighten
from scripts.lidia.dicom.file_account import Account, reason_without_header
from scripts.lidia.dicom.header_values import (
    check_pixels,
    check_slice,
    is_ct,
    is_slice,
    read_text,
    require_numbers,
)
from scripts.lidia.dicom.multiframe import is_multiframe
from scripts.lidia.dicom.read_file import read_file
from scripts.lidia.dicom.read_voxels import read_voxels
from scripts.lidia.dicom.scan_passes import split_scans
from scripts.lidia.dicom.scattered_series import is_scattered
from scripts.lidia.dicom.series_kinds import SHORTEST_MM, kind_of

if TYPE_CHECKING:
    from pydicom import Dataset

UNEVEN_MM = 0.1
"""Positions are often rounded to a tenth of a millimetre; a missing slice shifts them by far more."""


ASIDE_MM = 0.5
"""How far a slice may lie beside the others within its plane."""


class Slices:
    """The files of one folder on their way to a volume.

    Args:
        folder: what to name in messages.
        case: id of the case.
    """

    def __init__(self, folder: str, case: str) -> None:
        self.folder, self.case = folder, case
        self.remarks: list[CaseError] = []
        self.left: list[tuple[Path, str]] = []
        self.used: list[Path] = []

    def fault(self, code: str, problem: str, remedy: str, file: str | None = None) -> CaseError:
        """The error of this folder and case."""
        return CaseError(self.case, file or self.folder, problem, remedy, code)

    def remark(self, code: str, problem: str) -> None:
        """Notes what a reader should know and that is no fault."""
        self.remarks.append(CaseError(self.case, self.folder, problem, "", code, "warning"))

    def leave(self, slices: Sequence[Dataset], reason: str) -> None:
        """Notes why slices were left out, by a key of `account.REASONS`."""
        self.left += [(Path(slice_.filename), reason) for slice_ in slices]

    def settle(self, account: Account) -> dict[str, Any]:
        """Gives the files of the folder their fates; returns the summary of the account."""
        account.use(self.used, "phase")
        for path, reason in self.left:
            account.leave([path], reason)
        for path in list(account.unread()):
            account.leave([path], reason_without_header(path, account) or "not_dicom")
        account.close()
        return account.summary()

    def look(self, first: Dataset, slices: Sequence[Dataset]) -> None:
        """Remarks a series that looks like no phase; whoever names its folder may know better."""
        self.used = sorted({Path(slice_.filename) for slice_ in slices})
        kind, words = kind_of(first, slices)
        extent = position_along_normal(max(slices, key=position_along_normal)) - position_along_normal(
            min(slices, key=position_along_normal)
        )
        if not kind and extent < SHORTEST_MM:
            words = f"only {extent:.0f} mm long"
        if words:
            self.remark("looks_unlike", f"the series looks like no phase: {words}")

    def kept(self, found: Sequence[Dataset]) -> list[Dataset]:
        """Leaves the slices of one regular volume, sorted."""
        slices = self.only_one(self.images(found))
        return self.regular(self.one_scan(self.one_shape(slices)))

    def multiframe(self, paths: Sequence[Path]) -> Dataset | None:
        """The header of the one enhanced file, where the paths are that and nothing else."""
        if len(paths) != 1 or paths[0].stat().st_size == 0:
            return None
        header = read_file(paths[0], stop_before_pixels=True)
        return header if header is not None and is_multiframe(header) else None

    def files(self, paths: Sequence[Path]) -> list[Dataset]:
        """Reads all files of the folder; an unreadable slice is a fault, since it leaves a hole."""
        try:
            import pydicom  # noqa: F401
        except ImportError as error:
            remedy = "install pydicom and highdicom, or convert the series to NIfTI"
            raise self.fault("no_reader", f"DICOM cannot be read: {error}", remedy) from error

        found = []
        for path in paths:
            looks = path.suffix.lower() in (".dcm", ".ima", "")
            if looks and path.stat().st_size == 0:
                raise self.fault(
                    "empty_file", "the file is empty (0 bytes)", "copy the series again", str(path)
                )
            try:
                slice_ = read_file(path)
            except Exception as error:  # a broken file can break its reader anywhere
                problem = f"the file cannot be read ({error})"
                raise self.fault("damaged", problem, "copy the series again", str(path)) from error
            if slice_ is not None:
                found.append(slice_)
            elif path.suffix.lower() in (".dcm", ".ima"):
                raise self.fault("damaged", "the file is no DICOM", "copy the series again", str(path))
        if not found:
            raise self.fault("no_dicom", "no DICOM file in the folder", "name the folder of one CT series")
        return found

    def images(self, found: Sequence[Dataset]) -> list[Dataset]:
        """Keeps CT slices: no localizers, reports, segmentations, screen shots."""
        slices = [d for d in found if "Rows" in d and "ImagePositionPatient" in d]
        if not any(is_ct(d) for d in slices):
            seen = ", ".join({read_text(d, "Modality") or "none" for d in slices})
            problem = f"no CT slices: {seen or 'no image with a position'}"
            raise self.fault("not_ct", problem, "name the folder of one CT series")
        kept = [d for d in found if is_slice(d)]
        self.leave([d for d in found if not is_slice(d)], "other_kind")
        if len(kept) < len(found):
            self.remark(
                "left_out", f"{len(found) - len(kept)} files are no CT slices (localizers, ...); left out"
            )
        if not kept:
            raise self.fault("not_ct", "localizers only", "name the folder of one CT series")
        for slice_ in kept:
            _whole(self, slice_)
        return kept

    def only_one(self, slices: Sequence[Dataset]) -> list[Dataset]:
        """Takes the folder's one series."""
        series = defaultdict(list)
        for slice_ in slices:
            series[read_text(slice_, "SeriesInstanceUID")].append(slice_)
        if len(series) > 1 and is_scattered(list(series.values())):
            self.remark("scattered", f"{len(series)} series of a few slices each were taken for one")
        elif len(series) > 1:
            names = [
                f"{read_text(g[0], 'SeriesDescription')!r} "
                f"(number {read_text(g[0], 'SeriesNumber')}, {len(g)} slices)"
                for g in series.values()
            ]
            problem = f"{len(series)} series: {'; '.join(names)}"
            raise self.fault("two_series", problem, "give each series a folder, and each phase one folder")
        return list(slices)

    def one_shape(self, slices: Sequence[Dataset]) -> list[Dataset]:
        """Leaves out a few slices of another shape or orientation, such as a scout within the series."""
        groups = defaultdict(list)
        for slice_ in slices:
            turn = tuple(np.round(require_numbers(slice_, "ImageOrientationPatient"), 3))
            size = [require_numbers(slice_, keyword) for keyword in ("Rows", "Columns", "PixelSpacing")]
            groups[(*size, turn)].append(slice_)
        largest = max(groups.values(), key=len)
        odd = len(slices) - len(largest)
        if odd > 0.2 * len(slices):
            problem = f"{odd} of {len(slices)} slices have another shape, spacing or orientation"
            raise self.fault("mixed_slices", problem, "separate them into folders")
        self.leave([s for group in groups.values() if group is not largest for s in group], "stray")
        if odd:
            self.remark("left_out", f"{odd} slices of another shape or orientation were left out")
        return largest

    def one_scan(self, slices: Sequence[Dataset]) -> list[Dataset]:
        """Takes the one scan among the slices: its passes together, without copies and stray slices."""
        scans = split_scans(slices)
        large = [scan for scan in scans if len(scan.slices) >= MIN_SLICES]
        if len(large) > 1:
            numbers = sorted({read_text(s, "AcquisitionNumber") or "?" for s in slices})
            problem = f"{len(large)} scans of one region (acquisitions {', '.join(numbers)})"
            raise self.fault("two_acquisitions", problem, "separate the phases into folders")
        if not large:
            return list(slices)
        for code, words in large[0].remarks:
            self.remark(code, words)
        for slice_, reason in large[0].spare:
            self.leave([slice_], reason)
        others = [scan for scan in scans if scan is not large[0]]
        strays = [s for scan in others for s in (*scan.slices, *(spare for spare, _ in scan.spare))]
        self.leave(strays, "stray")
        if strays:
            self.remark("left_out", f"{len(strays)} slices of other acquisitions were left out")
        return self.without_copies(large[0].slices)

    def without_copies(self, slices: Sequence[Dataset]) -> list[Dataset]:
        """Leaves out copies of a slice; two different slices at one place are two acquisitions."""
        kept: dict[float, Dataset] = {}
        copies, clashes = 0, 0
        for slice_ in slices:
            place = round(position_along_normal(slice_), 2)
            other = kept.setdefault(place, slice_)
            if other is slice_:
                continue
            same = _is_copy(other, slice_)
            copies, clashes = copies + same, clashes + (not same)
            self.leave([slice_], "copy")
        if clashes:
            numbers = sorted({read_text(s, "AcquisitionNumber") or "?" for s in slices})
            problem = f"{clashes} places have two different slices (acquisitions {', '.join(numbers)})"
            raise self.fault("two_acquisitions", problem, "separate the phases into folders")
        if copies:
            self.remark("copies", f"{copies} copies of slices were left out")
        return list(kept.values())

    def regular(self, slices: Sequence[Dataset]) -> list[Dataset]:
        """Sorts the slices and checks that they are evenly stacked along their normal."""
        if len(slices) < MIN_SLICES:
            problem = f"{len(slices)} slices, fewer than {MIN_SLICES}"
            raise self.fault("too_flat", problem, "give the whole series")
        ordered = sorted(slices, key=position_along_normal)
        places = np.array([position_along_normal(s) for s in ordered])
        corners = np.array([require_numbers(s, "ImagePositionPatient") for s in ordered])
        steps = np.diff(places)
        step = float(np.median(steps))
        uneven = np.flatnonzero(np.abs(steps - step) > UNEVEN_MM)
        moved = straighten(ordered, places) if len(uneven) else 0.0
        if moved:
            problem = f"slices lie up to {moved:.2f} mm beside an even grid, and were moved onto it"
            self.remark("off_grid", problem)
            corners = np.array([require_numbers(s, "ImagePositionPatient") for s in ordered])
        elif len(uneven):
            where = ", ".join(f"{places[i]:.1f} to {places[i + 1]:.1f}" for i in uneven[:5])
            ratio = steps[uneven] / step
            missing = bool((np.rint(ratio) >= 2).all() and (np.abs(ratio - np.rint(ratio)) < 0.1).all())
            what = "slices are missing" if missing else "uneven slice spacing"
            problem = f"{what} at {where} mm (step {step:g} mm)"
            remedy = "copy the whole series again" if missing else "export an evenly spaced reconstruction"
            raise self.fault("gap" if missing else "uneven", problem, remedy)
        path = corners[-1] - corners[0]
        line = corners[0] + (places - places[0])[:, None] / (places[-1] - places[0]) * path
        aside = float(np.linalg.norm(corners - line, axis=1).max())
        if aside > ASIDE_MM:
            problem = f"slices lie up to {aside:.1f} mm beside the line of the others"
            raise self.fault("uneven", problem, "export an evenly spaced reconstruction")
        tilt = float(np.degrees(np.arccos(min(1.0, (places[-1] - places[0]) / np.linalg.norm(path)))))
        if tilt > 0.5:
            problem = f"the gantry was tilted by {tilt:.1f} degrees"
            raise self.fault("tilt", problem, "resample it to an upright volume first (dcm2niix does)")
        return ordered

    def volume(self, slices: Sequence[Dataset]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Reads the voxels of slices that `kept` gives."""
        voxels, affine, remarks = read_voxels(slices)
        for words in remarks:
            self.remark("pixels", words)
        return voxels, affine


def position_along_normal(slice_: Dataset) -> float:
    """Gives the position of a slice along its normal, in mm."""
    turn = np.asarray(require_numbers(slice_, "ImageOrientationPatient"))
    corner = require_numbers(slice_, "ImagePositionPatient")
    return float(np.dot(np.cross(turn[:3], turn[3:]), np.asarray(corner)))


def _is_copy(one: Dataset, other: Dataset) -> bool:
    """Whether two files at one place hold the same slice; the same UID is no proof of it."""
    if one.PixelData == other.PixelData:
        return True
    packed = one.file_meta.TransferSyntaxUID != other.file_meta.TransferSyntaxUID
    uids = [read_text(slice_, "SOPInstanceUID") for slice_ in (one, other)]
    return packed and bool(uids[0]) and uids[0] == uids[1]


def _whole(series: Slices, slice_: Dataset) -> None:
    check_slice(slice_)
    check_pixels(slice_)
    file = str(slice_.filename)
    size = [require_numbers(slice_, keyword)[0] for keyword in ("Rows", "Columns", "BitsAllocated")]
    wanted = int(np.prod(size)) // 8
    plain = not slice_.file_meta.TransferSyntaxUID.is_compressed
    if "PixelData" not in slice_ or (plain and len(slice_.PixelData) < wanted):
        held = len(slice_.get("PixelData", b""))
        raise series.fault("truncated", f"{held} of {wanted} bytes of pixels", "copy the series again", file)
