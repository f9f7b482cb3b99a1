"""Suggest a LI-RADS category from the features of a lesion (diagnostic table of CT/MRI LI-RADS v2018)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from scripts.lidia.morphometry.lirads_features import TARGETOID
from scripts.lidia.morphometry.lirads_finding import ABSENT, NOT_ASSESSED, PRESENT

ADDITIONAL = ("enhancing_capsule", "nonperipheral_washout", "threshold_growth")
"""Major features that the table counts besides nonrim APHE and size."""
BENIGN_TYPES = ("hemangioma", "cyst", "calcification")
"""Types of lesion that LI-RADS settles before the table (LR-1, LR-2)."""
NOT_CATEGORIZABLE = "LR-NC"


def look_up_category(size_mm: float, nonrim_aphe: bool, additional: frozenset[str] | set[str]) -> str:
    """Look up the category in the diagnostic table.

    Without nonrim APHE: below 20 mm LR-3, and LR-4 with two or more additional features; from 20 mm LR-3, and
    LR-4 with one or more. With it: below 10 mm LR-3, LR-4 with one or more; 10 to 19 mm LR-3, LR-4 with a
    capsule alone, LR-5 with washout or growth alone or with two or more; from 20 mm LR-4, LR-5 with one or
    more.

    Args:
        size_mm: longest diameter.
        nonrim_aphe: whether there is nonrim arterial-phase hyperenhancement.
        additional: those of `ADDITIONAL` that are present.
    """
    count = len(additional)
    if not nonrim_aphe:
        return "LR-4" if count >= (2 if size_mm < 20 else 1) else "LR-3"
    if size_mm < 10:
        return "LR-4" if count else "LR-3"
    if size_mm >= 20:
        return "LR-5" if count else "LR-4"
    if not count:
        return "LR-3"
    return "LR-4" if additional == {"enhancing_capsule"} else "LR-5"


def suggest_category(evidence: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Suggest a category for a lesion of a patient at risk of HCC.

    A feature that cannot be assessed leaves several categories possible; then the suggestion is LR-NC, which
    LI-RADS has for missing or degraded images. Growth without an earlier scan counts as absent, as in
    LI-RADS. What the table presumes is not judged here: that the lesion is not definitely or probably benign
    and that no vein contains tumour.

    Args:
        evidence: result of `measure_lirads`.
        kind: lesion type that the network gives.

    Returns:
        `category` (None if the table does not apply), `possible` and `reason`.
    """
    states = {name: finding["state"] for name, finding in evidence["features"].items()}
    if kind in BENIGN_TYPES:
        return _suggest(None, [], f"the type is {kind}: LR-1 or LR-2 is judged before the table")
    if states["enhancement"] == ABSENT:
        return _suggest(None, [], "no part enhances: LR-1 or LR-2 is judged before the table")
    targetoid = [name for name in TARGETOID if states[name] == PRESENT]
    if targetoid:
        return _suggest("LR-M", ["LR-M"], f"targetoid: {', '.join(targetoid)}")
    growth = "threshold_growth"
    states[growth] = PRESENT if states[growth] == PRESENT else ABSENT
    unknown = [name for name in ("nonrim_aphe", *ADDITIONAL) if states[name] == NOT_ASSESSED]
    possible = set()
    for choice in product((ABSENT, PRESENT), repeat=len(unknown)):
        assumed = states | dict(zip(unknown, choice, strict=True))
        additional = {name for name in ADDITIONAL if assumed[name] == PRESENT}
        possible.add(look_up_category(evidence["size_mm"], assumed["nonrim_aphe"] == PRESENT, additional))
    if len(possible) > 1:
        return _suggest(NOT_CATEGORIZABLE, sorted(possible), f"cannot be assessed: {', '.join(unknown)}")
    return _suggest(possible.pop(), [], "")


def _suggest(category: str | None, possible: list[str], reason: str) -> dict[str, Any]:
    return {"category": category, "possible": possible or ([category] if category else []), "reason": reason}
