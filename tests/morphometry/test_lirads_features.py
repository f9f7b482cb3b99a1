"""Every LI-RADS feature on hand-made lesions: present, absent, and not assessable for each reason."""

from __future__ import annotations

import json

import numpy as np
import pytest
from morphometry.handmade_lesions import (
    CAPSULE,
    CYST,
    HCC,
    LIVER,
    RIM,
    SCLEROTIC,
    make_curve,
    measure,
    name_states,
)

from scripts.lidia.morphometry.lirads_features import FEATURES, measure_lirads
from scripts.lidia.morphometry.lirads_growth import PreviousSize, assess_growth
from scripts.lidia.morphometry.lirads_thresholds import LiradsThresholds


def test_a_typical_hcc_with_its_capsule() -> None:
    evidence = measure({"capsule": (16, CAPSULE), "body": (13.5, HCC)})
    states = name_states(evidence)
    assert list(states) == list(FEATURES)
    assert states == {
        "nonrim_aphe": "present",
        "rim_aphe": "absent",
        "nonperipheral_washout": "present",
        "peripheral_washout": "absent",
        "enhancing_capsule": "present",
        "delayed_central_enhancement": "absent",
        "threshold_growth": "not_assessed",
        "enhancement": "present",
    }
    assert evidence["phases"]["nonperipheral_washout"] == {"venous": "present", "delayed": "present"}
    assert evidence["phases"]["enhancing_capsule"] == {"venous": "present", "delayed": "present"}
    arterial = evidence["attenuation"]["arterial"]
    assert arterial["core_hu"] == 110 and arterial["liver_hu"] == 75
    assert evidence["size_mm"] == 32


def test_washout_in_the_delayed_phase_alone() -> None:
    states = measure({"body": (12, HCC | {"venous": 105.0})})
    assert states["phases"]["nonperipheral_washout"] == {"venous": "absent", "delayed": "present"}
    washout = states["features"]["nonperipheral_washout"]
    assert washout["state"] == "present" and washout["phase"] == "delayed"
    assert washout["value"] == 20 and washout["limit"] == pytest.approx(90 * (1 - 1 / 1.07), abs=0.01)


def test_a_rim_that_washes_out_is_targetoid() -> None:
    states = name_states(measure({"rim": (18, RIM), "body": (13, SCLEROTIC)}))
    assert states["rim_aphe"] == "present" and states["nonrim_aphe"] == "absent"
    assert states["peripheral_washout"] == "present" and states["nonperipheral_washout"] == "absent"
    assert states["delayed_central_enhancement"] == "present"


def test_necrosis_inside_a_thick_hyperenhancing_wall_is_not_a_rim() -> None:
    states = name_states(measure({"body": (20, HCC), "core": (8, make_curve(28, 30, 32, 33))}))
    assert states["nonrim_aphe"] == "present" and states["rim_aphe"] == "absent"
    assert states["nonperipheral_washout"] == "present"


def test_a_cyst_has_no_feature_although_the_liver_around_it_enhances() -> None:
    states = name_states(measure({"body": (14, CYST)}, noise=8.0))
    del states["threshold_growth"]
    assert set(states.values()) == {"absent"}


def test_a_lesion_like_the_liver_has_no_feature() -> None:
    states = name_states(measure({"body": (14, LIVER)}, noise=8.0))
    assert states.pop("enhancement") == "present"
    assert states.pop("threshold_growth") == "not_assessed"
    assert set(states.values()) == {"absent"}


def test_progressive_enhancement_of_the_whole_lesion_is_not_central() -> None:
    evidence = measure({"body": (14, SCLEROTIC)})
    central = evidence["features"]["delayed_central_enhancement"]
    assert central["state"] == "absent" and central["value"] == 50


def test_a_dark_hole_in_the_capsule_is_still_a_capsule_and_half_of_one_is_not() -> None:
    whole = measure({"capsule": (16, CAPSULE), "body": (13.5, HCC)})
    assert whole["features"]["enhancing_capsule"]["state"] == "present"
    faint = measure({"capsule": (16, make_curve(50, 75, 106, 91)), "body": (13.5, HCC)})
    assert faint["features"]["enhancing_capsule"]["state"] == "absent"


@pytest.mark.parametrize(
    ("without", "unknown"),
    [
        (("arterial",), {"nonrim_aphe", "rim_aphe", "delayed_central_enhancement"}),
        (("delayed",), {"delayed_central_enhancement"}),
        (("venous", "delayed"), {"nonperipheral_washout", "enhancing_capsule", "peripheral_washout",
                                 "delayed_central_enhancement"}),
        (("nc",), set()),
    ],
)  # fmt: skip
def test_a_missing_phase_leaves_open_what_it_shows(without: tuple[str, ...], unknown: set[str]) -> None:
    evidence = measure({"capsule": (16, CAPSULE), "body": (13.5, HCC)}, without=without)
    states = name_states(evidence)
    open_features = {name for name, state in states.items() if state == "not_assessed"}
    assert unknown <= open_features
    for name in unknown:
        assert "no " in evidence["features"][name]["reason"]
    if "venous" in without:
        return
    assert states["enhancing_capsule"] == "present"


def test_washout_of_which_only_the_venous_phase_shows_none_stays_open_without_the_delayed_phase() -> None:
    evidence = measure({"body": (14, HCC | {"venous": 110.0})}, without=("delayed",))
    washout = evidence["features"]["nonperipheral_washout"]
    assert washout["state"] == "not_assessed" and washout["reason"] == "no delayed phase"
    assert evidence["phases"]["nonperipheral_washout"]["venous"] == "absent"


def test_a_small_lesion_is_hyperenhancing_but_has_no_rim_to_tell() -> None:
    features = measure({"body": (3.5, HCC)})["features"]
    assert features["rim_aphe"]["state"] == features["nonrim_aphe"]["state"] == "not_assessed"
    assert "small" in features["rim_aphe"]["reason"] and features["nonrim_aphe"]["value"] == 35
    assert "small" in features["enhancing_capsule"]["reason"]


def test_noise_that_hides_the_limit_leaves_a_faint_feature_open_but_not_a_strong_one() -> None:
    faint = measure({"body": (7, LIVER | {"arterial": 84.0})}, noise=90.0)["features"]["nonrim_aphe"]
    assert faint["state"] == "not_assessed" and faint["reason"].startswith("noise")
    assert faint["error"] * LiradsThresholds().noise_factor > faint["limit"]
    strong = measure({"body": (7, LIVER | {"arterial": 475.0})}, noise=90.0)["features"]["nonrim_aphe"]
    assert strong["state"] == "present"


@pytest.mark.parametrize("radius", [6.0, 9.0, 13.0, 18.0, 26.0])
def test_large_voxels_leave_open_what_they_cannot_show(radius: float) -> None:
    spacing, shape = (5.0, 5.0, 5.0), (24, 24, 24)
    index = np.indices(shape).reshape(3, -1).T - (np.array(shape) - 1) / 2
    lesion = (np.linalg.norm(index * spacing, axis=1) < radius).reshape(shape)
    hu = {phase: np.where(lesion, liver + 40, liver) for phase, liver in LIVER.items()}
    evidence = measure_lirads(hu, lesion, lesion, np.ones(shape, bool), spacing, diameter_mm=2 * radius)
    json.dumps(evidence, allow_nan=False)
    capsule = evidence["features"]["enhancing_capsule"]
    assert capsule["state"] == "not_assessed" or "value" in capsule


def test_the_standard_error_is_that_of_repeated_noise() -> None:
    errors, values = [], []
    for seed in range(12):
        from scripts.lidia.morphometry.lesion_zones import find_zones
        from scripts.lidia.morphometry.zone_attenuation import measure_phase

        rng = np.random.default_rng(seed)
        shape = (30, 30, 30)
        lesion = np.zeros(shape, bool)
        lesion[13:16, 13:16, 13:16] = True
        zones = find_zones(lesion, lesion, np.ones(shape, bool), (2.0, 2.0, 2.0))
        phase = measure_phase(80 + 20 * rng.standard_normal(shape), zones, (2.0, 2.0, 2.0))
        assert phase is not None
        values.append(phase.contrast(zones.whole))
        errors.append(phase.error(27, zones.liver.sum()))
    assert np.mean(errors) == pytest.approx(20 / np.sqrt(27), rel=0.15)
    assert np.std(values) == pytest.approx(np.mean(errors), rel=0.5)


def test_a_phase_that_does_not_reach_the_lesion_counts_as_missing() -> None:
    from morphometry.handmade_lesions import SHAPE, SPACING, find_distance

    from scripts.lidia.morphometry.lirads_features import measure_lirads

    distance = find_distance()
    lesion = distance < 14
    hu = {phase: np.where(lesion, HCC[phase], LIVER[phase]) for phase in LIVER}
    hu["arterial"][:, :, 20:] = np.nan
    evidence = measure_lirads(hu, lesion, lesion, np.ones(SHAPE, bool), SPACING, diameter_mm=28)
    assert "arterial" not in evidence["attenuation"]
    assert evidence["features"]["nonrim_aphe"]["reason"] == "the arterial phase does not show this place"


@pytest.mark.parametrize(
    ("diameter", "previous", "state"),
    [
        (30.0, PreviousSize(20.0, 183), "present"),
        (29.9, PreviousSize(20.0, 100), "absent"),
        (40.0, PreviousSize(20.0, 184), "not_assessed"),
        (29.0, PreviousSize(20.0, 184), "absent"),
        (40.0, PreviousSize(20.0, None), "not_assessed"),
        (40.0, None, "not_assessed"),
        (40.0, PreviousSize(0.0, 90), "not_assessed"),
    ],
)
def test_threshold_growth(diameter: float, previous: PreviousSize | None, state: str) -> None:
    assert assess_growth(diameter, previous).state == state
