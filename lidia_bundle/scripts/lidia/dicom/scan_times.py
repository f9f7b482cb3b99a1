"""Reads the times of scans from headers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scripts.lidia.dicom.header_values import read_date, read_datetime, read_time

if TYPE_CHECKING:
    from pydicom import Dataset


def read_scan_time(header: Dataset) -> datetime | None:
    """Reads the acquisition time of a slice; None if the header has none to the second."""
    stamp = read_datetime(header, "AcquisitionDateTime")
    if not stamp and (clock := read_time(header, "AcquisitionTime")):
        days = (read_date(header, keyword) for keyword in ("AcquisitionDate", "ContentDate", "StudyDate"))
        stamp = next(filter(None, days), "20000101") + clock
    return datetime.strptime(stamp, "%Y%m%d%H%M%S") if stamp else None


def find_nearest_datetime(clock: str, near: datetime) -> datetime:
    """Gives a time of day the date that brings it nearest to another time; midnight may lie between them.

    Args:
        clock: HHMMSS from `read_time`.
        near: the other time.
    """
    time = datetime.combine(near, datetime.strptime(clock, "%H%M%S").time())
    day = timedelta(days=1)
    return min((time - day, time, time + day), key=lambda moment: abs(moment - near))
