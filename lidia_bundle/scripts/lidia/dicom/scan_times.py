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
    if stamp:
        return _parse(stamp)
    days = (read_date(header, keyword) for keyword in ("AcquisitionDate", "ContentDate", "StudyDate"))
    clock = read_time(header, "AcquisitionTime")
    return _parse(next(filter(None, days), "20000101") + clock) if clock else None


def _parse(stamp: str) -> datetime | None:
    try:
        return datetime.strptime(stamp, "%Y%m%d%H%M%S")
    except ValueError:
        return None


def find_nearest_datetime(clock: str, near: datetime) -> datetime | None:
    """Gives a time of day the date that brings it nearest to another time; midnight may lie between them."""
    time = _parse(near.strftime("%Y%m%d") + clock)
    if time is None:
        return None
    day = timedelta(days=1)
    return min((time - day, time, time + day), key=lambda moment: abs(moment - near))
