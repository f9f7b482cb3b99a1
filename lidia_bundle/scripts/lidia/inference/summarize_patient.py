"""Summarize a diagnosis in plain types, the core of `ID.json`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from scripts.lidia.inference.calibration import apply_calibration, describe_certainty
from scripts.lidia.metrics.platt_scaling import Calibration
from scripts.lidia.postprocess.diagnosis import NO_LIVER, Diagnosis
from scripts.lidia.vocabulary import LESION_TYPES


def summarize(
    data: Mapping[Hashable, Any],
    diagnosis: Diagnosis,
    calibration: Calibration | None = None,
    types: Sequence[str] = LESION_TYPES,
) -> dict[str, Any]:
    """Summarizes patient probabilities and lesions in plain types, the core of `ID.json`.

    A network with a patient branch adds `branch`, its uncalibrated probabilities. Only the lesion types in
    `types` are named.
    """
    names = (*types, "malignant", "benign")
    used_calibration = (
        None if NO_LIVER in diagnosis.warnings else calibration
    )  # without a liver the scores stay 0
    raw_scores, used = (
        {name: diagnosis.livermax[name] for name in names},
        tuple(data.get("phases_used") or ()),
    )
    scores, is_calibrated = apply_calibration(
        raw_scores, None if used_calibration is None else used_calibration.lines
    )
    branch = {} if diagnosis.branch is None else {"branch": {name: diagnosis.branch[name] for name in names}}
    lesions = [
        {**record, "probabilities": {name: record["probabilities"][name] for name in types}}
        for record in diagnosis.records
    ]
    return {
        "id": data.get("id"),
        "grid_phase": data.get("grid_phase"),
        "phases_used": list(used),
        "probabilities": {name: scores[name] for name in types},
        "malignant": scores["malignant"],
        "benign": scores["benign"],
        "calibrated": is_calibrated,
        **describe_certainty(raw_scores, used, used_calibration),
        **branch,
        "lesions": lesions,
        "left_out": dict(diagnosis.left_out),
        "warnings": [*(data.get("warnings") or ()), *diagnosis.warnings],
    }
