"""Doors to the clinic: DICOM in and out, registration. Their libraries are imported when they are needed."""

from __future__ import annotations

from scripts.lidia.clinic.alignment import check_method
from scripts.lidia.clinic.registration import registered
from scripts.lidia.clinic.series import read_series
from scripts.lidia.clinic.sources import source_files

__all__ = ["check_method", "read_series", "registered", "source_files"]
