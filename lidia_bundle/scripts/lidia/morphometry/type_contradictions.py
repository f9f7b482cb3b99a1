"""Compare the enhancement of a lesion with what its type leads radiologists to expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.lidia.morphometry.lirads_finding import ABSENT, PRESENT
from scripts.lidia.morphometry.lirads_thresholds import LiradsThresholds

ENHANCING_TYPES = ("HCC", "ICC", "hemangioma", "FNH")
"""Types that enhance in at least one phase; metastases may be cystic."""


def find_contradictions(
    evidence: Mapping[str, Any], kind: str, limits: LiradsThresholds | None = None
) -> list[str]:
    """Find what in the measured features contradicts the type that the network gives to a lesion.

    Only features that could be assessed count. Expected are: no enhancement above the HU of fluid in cysts,
    dense voxels in calcifications, enhancement in the other types, hyperenhancement or washout in HCC,
    hyperenhancement in FNH, no washout in hemangiomas, and not the pattern of HCC (nonrim APHE and
    nonperipheral washout) in ICC and metastases.

    Args:
        evidence: result of `measure_lirads`.
        kind: lesion type that the network gives; `others` contradicts nothing.
        limits: thresholds, with `cyst_hu` and `calcification_hu`.

    Returns:
        Sentences; empty if nothing contradicts the type.
    """
    limits = limits or LiradsThresholds()
    states = {name: finding["state"] for name, finding in evidence["features"].items()}
    aphe, rim = states["nonrim_aphe"], states["rim_aphe"]
    washout = states["nonperipheral_washout"]
    lacks_aphe = aphe == rim == ABSENT
    checks = {
        "no part enhances": kind in ENHANCING_TYPES and states["enhancement"] == ABSENT,
        "neither arterial hyperenhancement nor washout": (
            kind == "HCC" and lacks_aphe and washout == ABSENT and states["peripheral_washout"] == ABSENT
        ),
        "no arterial hyperenhancement": kind == "FNH" and lacks_aphe,
        "washout": kind == "hemangioma" and washout == PRESENT,
        "arterial hyperenhancement and washout, the pattern of HCC": (
            kind in ("ICC", "metastasis") and aphe == PRESENT and washout == PRESENT
        ),
    }
    sentences = [text for text, applies in checks.items() if applies]
    attenuation = evidence["attenuation"]
    if not attenuation:
        return sentences
    inside = {phase: row.get("core_hu", row["lesion_hu"]) for phase, row in attenuation.items()}
    phase = max(inside, key=lambda name: inside[name])
    if kind == "cyst" and inside[phase] > limits.cyst_hu:
        sentences.append(f"{inside[phase]:.0f} HU in the {phase} phase is more than a cyst has")
    dense = max(row["lesion_hu"] for row in attenuation.values())
    if kind == "calcification" and dense < limits.calcification_hu:
        sentences.append(f"at most {dense:.0f} HU is less than a calcification has")
    return sentences


def describe_contradictions(lesions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Describe the lesions of a patient whose enhancement contradicts their type, in at most one warning.

    Args:
        lesions: of `ID.json`, with `lirads`.
    """
    texts = [
        f"lesion {row['instance']} ({row['type']}): {', '.join(row['lirads']['contradictions'])}"
        for row in lesions
        if row["lirads"]["contradictions"]
    ]
    return [f"the enhancement contradicts the type of {'; '.join(texts)}"] if texts else []
