"""Pictures of what came out, on one page."""

from __future__ import annotations

from scripts.lidia.report.patients import PatientPages
from scripts.lidia.report.write import write_report

__all__ = ["PatientPages", "write_report"]
