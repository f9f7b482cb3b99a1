"""The diagnostic table of LI-RADS v2018, cell by cell, and what stands before it."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.lidia.morphometry.lirads_category import look_up_category, suggest_category
from scripts.lidia.morphometry.lirads_features import FEATURES

CAPSULE, WASHOUT, GROWTH = "enhancing_capsule", "nonperipheral_washout", "threshold_growth"


@pytest.mark.parametrize(
    ("aphe", "size", "features", "category"),
    [
        (False, 19.9, (), "LR-3"),
        (False, 19.9, (WASHOUT,), "LR-3"),
        (False, 19.9, (WASHOUT, CAPSULE), "LR-4"),
        (False, 20.0, (), "LR-3"),
        (False, 20.0, (CAPSULE,), "LR-4"),
        (False, 20.0, (CAPSULE, WASHOUT, GROWTH), "LR-4"),
        (True, 9.9, (), "LR-3"),
        (True, 9.9, (WASHOUT,), "LR-4"),
        (True, 9.9, (WASHOUT, CAPSULE), "LR-4"),
        (True, 10.0, (), "LR-3"),
        (True, 10.0, (CAPSULE,), "LR-4"),
        (True, 10.0, (WASHOUT,), "LR-5"),
        (True, 19.9, (GROWTH,), "LR-5"),
        (True, 19.9, (CAPSULE, WASHOUT), "LR-5"),
        (True, 20.0, (), "LR-4"),
        (True, 20.0, (CAPSULE,), "LR-5"),
        (True, 20.0, (WASHOUT, CAPSULE, GROWTH), "LR-5"),
    ],
)
def test_the_table(aphe: bool, size: float, features: tuple[str, ...], category: str) -> None:
    assert look_up_category(size, aphe, set(features)) == category


def make_evidence(size: float, **states: str) -> dict[str, Any]:
    everything = dict.fromkeys(FEATURES, "absent") | {"enhancement": "present"} | states
    return {"size_mm": size, "features": {name: {"state": state} for name, state in everything.items()}}


def test_a_small_hcc_with_both_features_is_lr_5() -> None:
    evidence = make_evidence(14, nonrim_aphe="present", nonperipheral_washout="present")
    assert suggest_category(evidence, "HCC") == {"category": "LR-5", "possible": ["LR-5"], "reason": ""}


def test_a_feature_that_is_open_and_decides_gives_lr_nc() -> None:
    evidence = make_evidence(14, nonrim_aphe="present", nonperipheral_washout="not_assessed")
    suggestion = suggest_category(evidence, "HCC")
    assert suggestion["category"] == "LR-NC" and suggestion["possible"] == ["LR-3", "LR-5"]
    assert "nonperipheral_washout" in suggestion["reason"]


def test_a_feature_that_is_open_and_does_not_decide_changes_nothing() -> None:
    evidence = make_evidence(
        25, nonrim_aphe="present", nonperipheral_washout="present", enhancing_capsule="not_assessed"
    )
    assert suggest_category(evidence, "HCC")["category"] == "LR-5"


def test_growth_without_an_earlier_scan_is_absent() -> None:
    evidence = make_evidence(14, nonrim_aphe="present", threshold_growth="not_assessed")
    assert suggest_category(evidence, "HCC")["category"] == "LR-3"


@pytest.mark.parametrize("feature", ["rim_aphe", "peripheral_washout", "delayed_central_enhancement"])
def test_a_targetoid_feature_is_lr_m(feature: str) -> None:
    suggestion = suggest_category(make_evidence(30, **{feature: "present"}), "ICC")
    assert suggestion["category"] == "LR-M" and feature in suggestion["reason"]


def test_what_is_benign_is_not_in_the_table() -> None:
    for kind in ("cyst", "hemangioma", "calcification"):
        assert suggest_category(make_evidence(30, nonrim_aphe="present"), kind)["category"] is None
    assert suggest_category(make_evidence(30, enhancement="absent"), "HCC")["category"] is None
