"""Doors to the clinic: DICOM in. Its libraries are imported when they are needed, not before."""

from __future__ import annotations

from scripts.lidia.clinic.series import read_series

__all__ = ["read_series"]
