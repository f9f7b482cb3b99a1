"""Fit the conformal thresholds of lesions and patients, and measure their coverage on a cohort."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.evaluation.detection_table import DetectionTable
from scripts.lidia.evaluation.gathered_rows import decode_phases
from scripts.lidia.evaluation.patient_metrics import PatientRows
from scripts.lidia.inference.type_sets import ALL_PATIENTS, TypeSets
from scripts.lidia.metrics.conformal import fit_types, normalise_types
from scripts.lidia.metrics.intervals import compute_wilson_interval
from scripts.lidia.postprocess.type_scaling import TypeScaling, scale_types
from scripts.lidia.vocabulary import FIRST_LESION, LESION_TYPES


def iterate_lesions(rows: PatientRows) -> Iterator[tuple[int, NDArray[np.float64], str]]:
    """Iterates over the candidates that match a truth: patient, type probabilities, true type."""
    table = DetectionTable(rows.ids, rows.detections)
    index, exists = table.find_candidates()
    for row in index[exists].tolist():
        true_type = LESION_TYPES[int(table["true_type"][row]) - FIRST_LESION]
        yield int(table.patient[row]), table.types[row], true_type


def fit_type_sets(
    rows: PatientRows,
    subsets: Mapping[str, PatientRows],
    present_mm3: float,
    coverages: Sequence[float],
    scaling: TypeScaling | None = None,
) -> dict[str, Any]:
    """Fits thresholds for all patients, and for each set of phases that patients have.

    Args:
        rows: calibration patients with the phases that they have.
        subsets: rows of patients from whom phases were hidden, by the remaining phases.
        present_mm3: a patient has a type if the volume of its lesions exceeds this value.
        coverages: coverages of the sets.
        scaling: scaling of the type probabilities of lesions, which the rows do not contain yet.

    Returns:
        JSON-ready `coverages`, `lesions` and `patients`, see `parse_type_sets`.
    """
    lesions: dict[str, dict[str, list[float]]] = {}
    patients: dict[str, dict[str, list[float]]] = {}
    for cohort, is_natural in ((rows, True), *((entry, False) for entry in subsets.values())):
        phases = ["+".join(names) for names in decode_phases(cohort.columns["phases"])]
        for patient, probabilities, true_type in iterate_lesions(cohort):
            scaled = probabilities if scaling is None else scale_types(probabilities, scaling)
            score = float(normalise_types(scaled)[LESION_TYPES.index(true_type)])
            for key in (phases[patient], *([ALL_PATIENTS] if is_natural else ())):
                lesions.setdefault(key, {}).setdefault(true_type, []).append(score)
        for name in LESION_TYPES:
            for patient in np.flatnonzero(cohort.columns[f"mm3_{name}"] > present_mm3).tolist():
                score = float(cohort.columns[f"livermax_{name}"][patient])
                for key in (phases[patient], *([ALL_PATIENTS] if is_natural else ())):
                    patients.setdefault(key, {}).setdefault(name, []).append(score)

    def fit(groups: Mapping[str, Mapping[str, list[float]]]) -> dict[str, Any]:
        return {
            key: {name: entry._asdict() for name, entry in fit_types(scores, coverages).items()}
            for key, scores in sorted(groups.items())
        }

    return {"coverages": list(coverages), "lesions": fit(lesions), "patients": fit(patients)}


def measure_type_sets(
    rows: PatientRows, present_mm3: float, sets: TypeSets, coverage: float
) -> dict[str, dict[str, Any]]:
    """Measures coverage and mean size of the sets as `{metric: {value, low, high, n}}`.

    Metrics are `lesion_set_coverage`, `lesion_set_size`, the same for `patient_set`, and the coverage of each
    type (`lesion_set_coverage_HCC`). The intervals of shares are Wilson's; sizes have none.

    Args:
        rows: patients of an evaluation.
        present_mm3: a patient has a type if the volume of its lesions exceeds this value.
        sets: thresholds of the calibration.
        coverage: one of the coverages of `sets`.
    """
    phases = decode_phases(rows.columns["phases"])
    covered: dict[str, list[tuple[str, bool]]] = {"lesion": [], "patient": []}
    sizes: dict[str, list[int]] = {"lesion": [], "patient": []}
    for patient, probabilities, true_type in iterate_lesions(rows):
        shares = dict(zip(LESION_TYPES, probabilities.tolist(), strict=True))
        names = sets.predict_lesion(shares, phases[patient], coverage)
        covered["lesion"].append((true_type, true_type in names))
        sizes["lesion"].append(len(names))
    for patient in range(len(rows.ids)):
        scores = {name: float(rows.columns[f"livermax_{name}"][patient]) for name in LESION_TYPES}
        names = sets.predict_patient(scores, phases[patient], coverage)
        sizes["patient"].append(len(names))
        covered["patient"] += [
            (name, name in names)
            for name in LESION_TYPES
            if rows.columns[f"mm3_{name}"][patient] > present_mm3
        ]
    metrics: dict[str, dict[str, Any]] = {}
    for kind, flags in covered.items():
        note = f"chosen coverage {coverage:g}"
        metrics[f"{kind}_set_coverage"] = {**_make_share([hit for _, hit in flags]), "note": note}
        count = len(sizes[kind])
        mean = float(np.mean(sizes[kind])) if count else None
        metrics[f"{kind}_set_size"] = {"value": mean, "low": None, "high": None, "n": count}
        for name in LESION_TYPES:
            hits = [hit for true_type, hit in flags if true_type == name]
            metrics[f"{kind}_set_coverage_{name}"] = _make_share(hits)
    return metrics


def _make_share(hits: Sequence[bool]) -> dict[str, Any]:
    if not hits:
        return {"value": None, "low": None, "high": None, "n": 0}
    low, high = compute_wilson_interval(sum(hits), len(hits))
    return {"value": sum(hits) / len(hits), "low": low, "high": high, "n": len(hits)}
