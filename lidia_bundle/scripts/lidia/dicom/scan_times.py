"""When slices were scanned, by their headers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scripts.lidia.dicom.header_values import read_date, read_moment, read_time

if TYPE_CHECKING:
    from pydicom import Dataset


def time_of(header: Dataset) -> datetime | None:
    """When a slice was scanned; None where its header does not say, or not to the second."""
    stamp = read_moment(header, "AcquisitionDateTime")
    if stamp:
        return _parsed(stamp)
    days = (read_date(header, keyword) for keyword in ("AcquisitionDate", "ContentDate", "StudyDate"))
    clock = read_time(header, "AcquisitionTime")
    return _parsed(next(filter(None, days), "20000101") + clock) if clock else None


def _parsed(stamp: str) -> datetime | None:
    try:
        return datetime.strptime(stamp, "%Y%m%d%H%M%S")
    except ValueError:
        return None


def nearest(clock: str, near: datetime) -> datetime | None:
    """A time of day as the moment nearest to another: midnight may lie between them."""
    time = _parsed(near.strftime("%Y%m%d") + clock)
    if time is None:
        return None
    day = timedelta(days=1)
    return min((time - day, time, time + day), key=lambda moment: abs(moment - near))
