"""Selects the slices of one CT volume among the files of a folder, with an error for each kind of fault."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import MIN_SLICES
from scripts.lidia.dicom.even_grid import align_to_grid
from scripts.lidia.dicom.file_account import Account, find_reason_without_header
from scripts.lidia.dicom.header_values import (
    check_pixels,
    check_slice,
    is_ct,
    is_slice,
    read_shape,
    read_text,
    require_numbers,
)
from scripts.lidia.dicom.multiframe import is_multiframe
from scripts.lidia.dicom.read_file import read_file, read_study_file
from scripts.lidia.dicom.read_voxels import read_voxels
from scripts.lidia.dicom.scan_passes import split_scans
from scripts.lidia.dicom.scattered_series import is_scattered
from scripts.lidia.dicom.series_kinds import MIN_EXTENT_MM, classify_series

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_STEP_DEVIATION_MM = 0.1
"""Positions are often rounded to a tenth of a millimetre; a missing slice shifts them by far more."""
MAX_LATERAL_MM = 0.5
"""Largest offset of a slice within its plane from the line of the others."""


class SliceSelection:
    """The files of one folder, from which the slices of one volume are selected.

    Args:
        folder: name for messages.
        case: id of the case.
    """

    def __init__(self, folder: str, case: str) -> None:
        self.folder, self.case = folder, case
        self.remarks: list[CaseError] = []
        self.left_out: list[tuple[Path, str]] = []
        self.used: list[Path] = []

    def make_error(self, code: str, problem: str, remedy: str, file: str | None = None) -> CaseError:
        """Makes an error of this folder and case."""
        return CaseError(self.case, file or self.folder, problem, remedy, code)

    def add_remark(self, code: str, problem: str) -> None:
        """Adds a warning for the user."""
        self.remarks.append(CaseError(self.case, self.folder, problem, "", code, "warning"))

    def leave_out(self, slices: Sequence[Dataset], reason: str) -> None:
        """Records slices as left out, by a key of `file_account.REASONS`."""
        self.left_out += [(Path(slice_.filename), reason) for slice_ in slices]

    def close_account(self, account: Account) -> dict[str, Any]:
        """Records the use of every file of the folder; returns the summary of the account."""
        account.use(self.used, "phase")
        for path, reason in self.left_out:
            account.leave_out([path], reason)
        for path in list(account.iterate_unread()):
            account.leave_out([path], find_reason_without_header(path, account) or "not_dicom")
        account.close()
        return account.summary()

    def remark_kind(self, first: Dataset, slices: Sequence[Dataset]) -> None:
        """Adds a remark if a series does not look like a phase; it is used, because the user named it."""
        self.used = sorted({Path(slice_.filename) for slice_ in slices})
        kind, words = classify_series(first, slices)
        positions = [compute_position(slice_) for slice_ in slices]
        extent = max(positions) - min(positions)
        if not kind and extent < MIN_EXTENT_MM:
            words = f"only {extent:.0f} mm long"
        if words:
            self.add_remark("looks_unlike", f"the series does not look like a contrast phase: {words}")

    def select_volume(self, datasets: Sequence[Dataset]) -> list[Dataset]:
        """Selects the slices of one regular volume, sorted along their normal."""
        slices = self.require_one_series(self.select_ct_slices(datasets))
        return self.check_regular(self.select_scan(self.select_shape(slices)))

    def read_multiframe_header(self, paths: Sequence[Path]) -> Dataset | None:
        """Reads the header of an enhanced file if it is the only path; otherwise returns None."""
        if len(paths) != 1 or paths[0].stat().st_size == 0:
            return None
        header = read_file(paths[0], stop_before_pixels=True)
        return header if header is not None and is_multiframe(header) else None

    def read_files(self, paths: Sequence[Path]) -> list[Dataset]:
        """Reads all files of the folder; an unreadable slice is an error, since it leaves a gap."""
        try:
            import pydicom  # noqa: F401
        except ImportError as error:
            remedy = "install pydicom and highdicom, or convert the series to NIfTI"
            raise self.make_error("no_reader", f"DICOM cannot be read: {error}", remedy) from error

        datasets: list[Dataset] = []
        for path in paths:
            slice_ = read_study_file(path, case=self.case, remedy="copy the series again")
            datasets += [] if slice_ is None else [slice_]
        if not datasets:
            remedy = "pass the folder of one CT series"
            raise self.make_error("no_dicom", "no DICOM file in the folder", remedy)
        return datasets

    def select_ct_slices(self, datasets: Sequence[Dataset]) -> list[Dataset]:
        """Selects CT slices: no localizers, reports, segmentations or screen shots."""
        slices = [d for d in datasets if "Rows" in d and "ImagePositionPatient" in d]
        if not any(is_ct(d) for d in slices):
            modalities = ", ".join({read_text(d, "Modality") or "none" for d in slices})
            problem = f"no CT slices: {modalities or 'no image with a position'}"
            raise self.make_error("not_ct", problem, "name the folder of one CT series")
        ct_slices = [d for d in datasets if is_slice(d)]
        self.leave_out([d for d in datasets if not is_slice(d)], "other_kind")
        others = len(datasets) - len(ct_slices)
        if others:
            self.add_remark("left_out", f"{others} files are not CT slices (localizers and others); left out")
        if not ct_slices:
            raise self.make_error("not_ct", "localizers only", "name the folder of one CT series")
        for slice_ in ct_slices:
            _check_complete(self, slice_)
        return ct_slices

    def require_one_series(self, slices: Sequence[Dataset]) -> list[Dataset]:
        """Checks that the folder holds one series."""
        series = defaultdict(list)
        for slice_ in slices:
            series[read_text(slice_, "SeriesInstanceUID")].append(slice_)
        if len(series) > 1 and is_scattered(list(series.values())):
            self.add_remark("scattered", f"{len(series)} series of a few slices each were joined to one")
        elif len(series) > 1:
            names = [
                f"{read_text(g[0], 'SeriesDescription')!r} "
                f"(number {read_text(g[0], 'SeriesNumber')}, {len(g)} slices)"
                for g in series.values()
            ]
            problem = f"{len(series)} series: {'; '.join(names)}"
            remedy = "give each series a folder, and each phase one folder"
            raise self.make_error("two_series", problem, remedy)
        return list(slices)

    def select_shape(self, slices: Sequence[Dataset]) -> list[Dataset]:
        """Selects the slices of the most frequent shape; leaves out a few others, such as a localizer."""
        groups = defaultdict(list)
        for slice_ in slices:
            groups[read_shape(slice_)].append(slice_)
        largest = max(groups.values(), key=len)
        others = len(slices) - len(largest)
        if others > 0.2 * len(slices):
            problem = f"{others} of {len(slices)} slices have another shape, spacing or orientation"
            raise self.make_error("mixed_slices", problem, "separate them into folders")
        self.leave_out([s for group in groups.values() if group is not largest for s in group], "stray")
        if others:
            self.add_remark("left_out", f"{others} slices of another shape or orientation were left out")
        return largest

    def select_scan(self, slices: Sequence[Dataset]) -> list[Dataset]:
        """Selects the one scan among the slices, with all its passes, without copies and stray slices."""
        scans = split_scans(slices)
        large = [scan for scan in scans if len(scan.slices) >= MIN_SLICES]
        if len(large) > 1:
            numbers = sorted({read_text(s, "AcquisitionNumber") or "?" for s in slices})
            problem = f"{len(large)} scans of one region (acquisitions {', '.join(numbers)})"
            raise self.make_error("two_acquisitions", problem, "separate the phases into folders")
        if not large:
            return list(slices)
        for code, words in large[0].remarks:
            self.add_remark(code, words)
        for slice_, reason in large[0].spare:
            self.leave_out([slice_], reason)
        others = [scan for scan in scans if scan is not large[0]]
        strays = [s for scan in others for s in (*scan.slices, *(spare for spare, _ in scan.spare))]
        self.leave_out(strays, "stray")
        if strays:
            self.add_remark("left_out", f"{len(strays)} slices of other acquisitions were left out")
        return self.drop_copies(large[0].slices)

    def drop_copies(self, slices: Sequence[Dataset]) -> list[Dataset]:
        """Leaves out copies of a slice; two different slices at one position are two acquisitions."""
        first_by_position: dict[float, Dataset] = {}
        copies, clashes = 0, 0
        for slice_ in slices:
            position = round(compute_position(slice_), 2)
            other = first_by_position.setdefault(position, slice_)
            if other is slice_:
                continue
            same = _is_copy(other, slice_)
            copies, clashes = copies + same, clashes + (not same)
            self.leave_out([slice_], "copy")
        if clashes:
            numbers = sorted({read_text(s, "AcquisitionNumber") or "?" for s in slices})
            problem = f"{clashes} positions have two different slices (acquisitions {', '.join(numbers)})"
            raise self.make_error("two_acquisitions", problem, "separate the phases into folders")
        if copies:
            self.add_remark("copies", f"{copies} copies of slices were left out")
        return list(first_by_position.values())

    def check_regular(self, slices: Sequence[Dataset]) -> list[Dataset]:
        """Sorts the slices and checks that they are evenly spaced along their normal."""
        if len(slices) < MIN_SLICES:
            problem = f"{len(slices)} slices, fewer than {MIN_SLICES}"
            raise self.make_error("too_flat", problem, "give the whole series")
        ordered = sorted(slices, key=compute_position)
        places = np.array([compute_position(s) for s in ordered])
        corners = np.array([require_numbers(s, "ImagePositionPatient") for s in ordered])
        steps = np.diff(places)
        step = float(np.median(steps))
        uneven = np.flatnonzero(np.abs(steps - step) > MAX_STEP_DEVIATION_MM)
        largest_shift = align_to_grid(ordered, places) if len(uneven) else 0.0
        if largest_shift:
            problem = f"slices lie up to {largest_shift:.2f} mm off an even grid, and were moved onto it"
            self.add_remark("off_grid", problem)
            corners = np.array([require_numbers(s, "ImagePositionPatient") for s in ordered])
        elif len(uneven):
            where = ", ".join(f"{places[i]:.1f} to {places[i + 1]:.1f}" for i in uneven[:5])
            ratio = steps[uneven] / step
            missing = bool((np.rint(ratio) >= 2).all() and (np.abs(ratio - np.rint(ratio)) < 0.1).all())
            what = "slices are missing" if missing else "uneven slice spacing"
            problem = f"{what} at {where} mm (step {step:g} mm)"
            remedy = "copy the whole series again" if missing else "export an evenly spaced reconstruction"
            raise self.make_error("gap" if missing else "uneven", problem, remedy)
        path = corners[-1] - corners[0]
        line = corners[0] + (places - places[0])[:, None] / (places[-1] - places[0]) * path
        lateral = float(np.linalg.norm(corners - line, axis=1).max())
        if lateral > MAX_LATERAL_MM:
            problem = f"slices lie up to {lateral:.1f} mm off the line of the others"
            raise self.make_error("uneven", problem, "export an evenly spaced reconstruction")
        tilt = float(np.degrees(np.arccos(min(1.0, (places[-1] - places[0]) / np.linalg.norm(path)))))
        if tilt > 0.5:
            problem = f"the gantry was tilted by {tilt:.1f} degrees"
            raise self.make_error("tilt", problem, "resample it to an upright volume first (dcm2niix does)")
        return ordered

    def read_volume(self, slices: Sequence[Dataset]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Reads the voxels of slices from `select_volume`."""
        voxels, affine, remarks = read_voxels(slices)
        for words in remarks:
            self.add_remark("pixels", words)
        return voxels, affine


def compute_position(slice_: Dataset) -> float:
    """Returns the position of a slice along its normal, in mm."""
    orientation = np.asarray(require_numbers(slice_, "ImageOrientationPatient"))
    corner = require_numbers(slice_, "ImagePositionPatient")
    return float(np.dot(np.cross(orientation[:3], orientation[3:]), np.asarray(corner)))


def _is_copy(first: Dataset, other: Dataset) -> bool:
    """Returns whether two files at one position hold the same slice; an equal UID alone does not prove it."""
    if first.PixelData == other.PixelData:
        return True
    packed = first.file_meta.TransferSyntaxUID != other.file_meta.TransferSyntaxUID
    uids = [read_text(slice_, "SOPInstanceUID") for slice_ in (first, other)]
    return packed and bool(uids[0]) and uids[0] == uids[1]


def _check_complete(series: SliceSelection, slice_: Dataset) -> None:
    check_slice(slice_)
    check_pixels(slice_)
    file = str(slice_.filename)
    size = [require_numbers(slice_, keyword)[0] for keyword in ("Rows", "Columns", "BitsAllocated")]
    expected_bytes = int(np.prod(size)) // 8
    plain = not slice_.file_meta.TransferSyntaxUID.is_compressed
    if "PixelData" not in slice_ or (plain and len(slice_.PixelData) < expected_bytes):
        present_bytes = len(slice_.get("PixelData", b""))
        problem = f"{present_bytes} of {expected_bytes} bytes of pixels"
        raise series.make_error("truncated", problem, "copy the series again", file)
