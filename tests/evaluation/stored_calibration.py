"""A calibration that is fitted on rows at hand, stored and opened, and the rows of its lesions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from scripts.lidia.evaluation.detection_table import DETECTION_COLUMNS
from scripts.lidia.evaluation.fit_calibration import FitCalibration
from scripts.lidia.evaluation.patient_metrics import PatientScores
from scripts.lidia.inference.calibration import CalibrationFile
from scripts.lidia.vocabulary import LESION_TYPES


def fit_stored_calibration(scores: PatientScores, folder: Path) -> CalibrationFile:
    """Fits `calibration.json` for a file of weights in the folder, and opens it."""
    weights, path = folder / "model.pt", folder / "calibration.json"
    weights.write_bytes(b"weights")
    FitCalibration(scores=scores, path=str(path), weights=str(weights))(None)
    return CalibrationFile(str(path), str(weights))


def make_pair(
    candidate: int,
    truth: int,
    peak: float,
    kind: int = 2,
    true_kind: int = 2,
    shares: Mapping[str, float] | None = None,
) -> np.ndarray:
    """A pair of 1 ml lesions; without `shares` all of the candidate's probability is on its type."""
    row = dict.fromkeys(DETECTION_COLUMNS, 0.0)
    row |= {"candidate": candidate, "truth": truth, "dice": 0.8 * bool(candidate and truth)}
    row |= {"existence": peak, "peak": peak, "mean": peak * 0.8, "volume_mm3": 1000.0, "type": kind}
    row |= {"true_volume_mm3": 1000.0 if truth else np.nan, "true_type": true_kind if truth else 0}
    for name, share in (shares or {LESION_TYPES[kind - 2]: peak * 0.8}).items():
        row[f"p_{name}"] = share
    return np.array([row[name] for name in DETECTION_COLUMNS])
