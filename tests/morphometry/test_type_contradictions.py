"""The measured enhancement contradicts a type only where a feature that was assessed does."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.lidia.morphometry.lirads_features import FEATURES
from scripts.lidia.morphometry.type_contradictions import find_contradictions
from scripts.lidia.vocabulary import LESION_TYPES


def make_evidence(hu: float, default: str = "absent", **states: str) -> dict[str, Any]:
    everything = dict.fromkeys(FEATURES, default) | {"enhancement": "present"} | states
    row = {"lesion_hu": hu, "rim_hu": hu, "core_hu": hu, "liver_hu": 100.0}
    return {
        "attenuation": {"venous": row},
        "features": {name: {"state": state} for name, state in everything.items()},
    }


@pytest.mark.parametrize(
    ("kind", "hu", "states"),
    [
        ("HCC", 90, {}),
        ("HCC", 90, {"enhancement": "absent", "nonrim_aphe": "not_assessed"}),
        ("ICC", 60, {"nonrim_aphe": "present", "nonperipheral_washout": "present"}),
        ("metastasis", 60, {"nonrim_aphe": "present", "nonperipheral_washout": "present"}),
        ("hemangioma", 150, {"nonperipheral_washout": "present"}),
        ("FNH", 110, {}),
        ("cyst", 41, {}),
        ("calcification", 99, {}),
    ],
)
def test_contradicted(kind: str, hu: float, states: dict[str, str]) -> None:
    assert len(find_contradictions(make_evidence(hu, **states), kind)) == 1


@pytest.mark.parametrize(
    ("kind", "hu", "states"),
    [
        ("HCC", 90, {"nonperipheral_washout": "present"}),
        ("HCC", 90, {"rim_aphe": "present"}),
        ("HCC", 90, {"nonperipheral_washout": "not_assessed"}),
        ("metastasis", 20, {"enhancement": "absent"}),
        ("FNH", 110, {"nonrim_aphe": "present", "nonperipheral_washout": "present"}),
        ("cyst", 39, {}),
        ("calcification", 101, {}),
        ("others", 60, {"nonrim_aphe": "present", "nonperipheral_washout": "present"}),
    ],
)
def test_not_contradicted(kind: str, hu: float, states: dict[str, str]) -> None:
    assert find_contradictions(make_evidence(hu, **states), kind) == []


@pytest.mark.parametrize("kind", [name for name in LESION_TYPES if name not in ("cyst", "calcification")])
def test_nothing_is_contradicted_where_nothing_was_assessed(kind: str) -> None:
    evidence = make_evidence(60, default="not_assessed", enhancement="not_assessed")
    assert find_contradictions({**evidence, "attenuation": {}}, kind) == []
