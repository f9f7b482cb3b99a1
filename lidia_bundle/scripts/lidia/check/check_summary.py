"""Summarises a datalist: counts of patients, phases, lesions and grids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from scripts.lidia.vocabulary import LESION_TYPES, PHASES


def summarize(
    sections: Mapping[str, Sequence[Mapping[str, Any]]],
    measured: Mapping[str, Mapping[str, Any]],
    faults: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """Returns the content of `summary.json`.

    Args:
        sections: items of the list by section.
        measured: by id, see `PatientCheck`.
        faults: entries of `errors.json`.
    """
    return {
        "sections": {name: _summarize_section(items, measured) for name, items in sections.items()},
        "faults": dict(Counter(fault["code"] for fault in faults if fault["severity"] == "error")),
        "warnings": dict(Counter(fault["code"] for fault in faults if fault["severity"] != "error")),
        "patients": {
            item["id"]: measured.get(item["id"], {}) for items in sections.values() for item in items
        },
    }


def _summarize_section(
    items: Sequence[Mapping[str, Any]], measured: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    records = [measured.get(item["id"], {}) for item in items]
    volumes = [volume for record in records for volume in record.get("phases", {}).values() if volume]
    lesions: Counter[str] = Counter()
    patients: Counter[str] = Counter()
    for record in records:
        lesions.update(record.get("lesions", {}))
        patients.update(record.get("lesions", {}).keys())
    subsets = Counter("+".join(p for p in PHASES if p in item["phases"]) for item in items)
    return {
        "patients": len(items),
        "phases": {phase: sum(phase in item["phases"] for item in items) for phase in PHASES},
        "subsets": dict(subsets.most_common()),
        "labelled": sum("label" in item for item in items),
        "without_lesion": sum("lesions" in record and not record["lesions"] for record in records),
        "lesions": {name: lesions[name] for name in LESION_TYPES},
        "patients_with": {name: patients[name] for name in LESION_TYPES},
        "spacing_mm": _compute_range(min(volume["spacing_mm"]) for volume in volumes),
        "slice_mm": _compute_range(max(volume["spacing_mm"]) for volume in volumes),
        "orientations": dict(Counter(volume["orientation"] for volume in volumes)),
        "liver_ml": _compute_range(record["liver_ml"] for record in records if "liver_ml" in record),
        "liver_hu": {
            phase: _compute_range(
                record["liver_hu"][phase] for record in records if phase in record.get("liver_hu", {})
            )
            for phase in PHASES
        },
    }


def _compute_range(values: Iterable[float]) -> list[float] | None:
    """Returns minimum, median and maximum, or None without values."""
    array = np.array(list(values), float)
    if not len(array):
        return None
    return [round(float(value), 3) for value in (array.min(), np.median(array), array.max())]
