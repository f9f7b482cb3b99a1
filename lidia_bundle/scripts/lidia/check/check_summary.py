"""A datalist in numbers: patients, phases, lesions, grids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from scripts.lidia.vocabulary import LESION_TYPES, PHASES


def summarize(
    sections: Mapping[str, Sequence[Mapping[str, Any]]],
    facts: Mapping[str, Mapping[str, Any]],
    faults: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """What `summary.json` says.

    Args:
        sections: items of the list.
        facts: by id, see `check_patient`.
        faults: entries of `errors.json`.
    """
    return {
        "sections": {name: _section(items, facts) for name, items in sections.items()},
        "faults": dict(Counter(fault["code"] for fault in faults if fault["severity"] == "error")),
        "warnings": dict(Counter(fault["code"] for fault in faults if fault["severity"] != "error")),
        "patients": {item["id"]: facts.get(item["id"], {}) for items in sections.values() for item in items},
    }


def _section(items: Sequence[Mapping[str, Any]], facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    known = [facts.get(item["id"], {}) for item in items]
    volumes = [volume for one in known for volume in one.get("phases", {}).values() if volume]
    lesions: Counter[str] = Counter()
    patients: Counter[str] = Counter()
    for one in known:
        lesions.update(one.get("lesions", {}))
        patients.update(one.get("lesions", {}).keys())
    subsets = Counter("+".join(p for p in PHASES if p in item["phases"]) for item in items)
    return {
        "patients": len(items),
        "phases": {phase: sum(phase in item["phases"] for item in items) for phase in PHASES},
        "subsets": dict(subsets.most_common()),
        "labelled": sum("label" in item for item in items),
        "without_lesion": sum("lesions" in one and not one["lesions"] for one in known),
        "lesions": {name: lesions[name] for name in LESION_TYPES},
        "patients_with": {name: patients[name] for name in LESION_TYPES},
        "spacing_mm": _range(min(volume["spacing_mm"]) for volume in volumes),
        "slice_mm": _range(max(volume["spacing_mm"]) for volume in volumes),
        "orientations": dict(Counter(volume["orientation"] for volume in volumes)),
        "liver_ml": _range(one["liver_ml"] for one in known if "liver_ml" in one),
        "liver_hu": {
            phase: _range(one["liver_hu"][phase] for one in known if phase in one.get("liver_hu", {}))
            for phase in PHASES
        },
    }


def _range(values: Iterable[float]) -> list[float] | None:
    """Least, median and greatest."""
    found = np.array(list(values), float)
    if not len(found):
        return None
    return [round(float(value), 3) for value in (found.min(), np.median(found), found.max())]
