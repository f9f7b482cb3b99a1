"""Doors to the clinic: DICOM in and out. Its libraries are imported when they are needed, not before."""

from __future__ import annotations

from scripts.lidia.clinic.series import read_series
from scripts.lidia.clinic.sources import source_files

__all__ = ["read_series", "source_files"]
