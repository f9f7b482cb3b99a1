"""Recognizes series that are no contrast phase: localizers, projections, computed maps, reformats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scripts.lidia.dicom.header_values import is_ct, read_text, require_numbers
from scripts.lidia.dicom.series_text import find_kind

if TYPE_CHECKING:
    from pydicom import Dataset

KINDS_LEFT_OUT = {
    "a localizer": "localizer", "bolus tracking": "single_slices", "a dose report": "dose_report",
    "a projection": "projection", "a computed map": "computed_map",
}  # fmt: skip
"""Key of `file_account.REASONS` for each kind that `find_kind` returns."""
MIN_EXTENT_MM = 60.0
"""A shorter series shows no liver: bolus tracking, single slices, biopsies."""


def classify_series(first: Dataset, frames: Sequence[Dataset]) -> tuple[str, str]:
    """Returns the reason why a series is no contrast phase; empty texts if it may be one.

    Returns:
        A key of `file_account.REASONS`, and the reason in words.
    """
    description = read_text(first, "SeriesDescription")
    kinds = read_text(first, "ImageType").upper().split(" ")
    named_kind = find_kind(description)
    if not is_ct(first) or not frames:
        what = "a dose report" if named_kind == "a dose report" or "Dose" in description else "no CT slices"
        return "other_kind", f"{what} ({read_text(first, 'Modality') or 'no modality'})"
    if "LOCALIZER" in kinds or named_kind == "a localizer":
        return "localizer", "a localizer"
    if "SECONDARY" in kinds and not {"AXIAL", "ORIGINAL"} & set(kinds) and named_kind == "a dose report":
        return "dose_report", "a dose report"
    if any("PROJECTION" in kind or kind in ("MIP", "MINIP", "MPR THICK") for kind in kinds):
        return "projection", "a projection (MIP or the like)"
    if named_kind and named_kind != "bolus tracking":
        return KINDS_LEFT_OUT[named_kind], named_kind
    positions = {tuple(np.round(require_numbers(frame, "ImagePositionPatient"), 2)) for frame in frames}
    if len(positions) < 8:
        return "single_slices", f"bolus tracking or single slices ({len(positions)} positions)"
    orientation = np.asarray(require_numbers(frames[0], "ImageOrientationPatient"))
    normal = np.abs(np.cross(orientation[:3], orientation[3:]))
    if normal.argmax() != 2:
        return "reformat", f"a {'sagittal' if normal.argmax() == 0 else 'coronal'} reformat"
    if normal[2] < np.cos(np.radians(15)):
        return "reformat", "an oblique reformat"
    return "", ""
