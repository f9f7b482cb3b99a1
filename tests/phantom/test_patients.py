from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.phantom.cohorts import RECIPES
from scripts.lidia.phantom.patient import sample_patient
from scripts.lidia.vocabulary import LESION_CLASSES, OTHERS


@pytest.fixture(scope="module", params=list(RECIPES))
def cohort(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def patients(cohort: str) -> list:
    return [sample_patient(np.random.default_rng([9, number]), RECIPES[cohort]) for number in range(400)]


def test_some_lack_the_delayed_phase(cohort: str, patients: list) -> None:
    missing = np.mean([len(patient.phases) == 3 for patient in patients])
    assert missing == pytest.approx({"internal": 1 / 3, "external": 1 / 3, "hard": 2 / 3}[cohort], abs=0.073)
    assert {patient.phases[:3] for patient in patients} == {("nc", "arterial", "venous")}


def test_every_type_is_common_enough_to_measure(patients: list) -> None:
    groups = [{look.group for look in patient.plan} for patient in patients]
    for group in LESION_CLASSES:
        assert np.mean([group in result for result in groups]) > 0.08
    assert 0 < np.mean([not result for result in groups]) < 0.12


def test_more_than_twenty_rare_looks(patients: list) -> None:
    rare = {look.name for patient in patients for look in patient.plan if look.group == OTHERS}
    assert len(rare) > 20


def test_hcc_sits_in_cirrhosis_mostly(patients: list) -> None:
    kinds = [patient.kind for patient in patients if patient.plan and patient.plan[0].name == "HCC_typical"]
    assert 0.55 < np.mean([kind == "cirrhotic" for kind in kinds]) < 0.92


def test_an_unknown_look_is_named() -> None:
    with pytest.raises(ValueError, match="wart"):
        sample_patient(np.random.default_rng(0), RECIPES["internal"], ["wart"])
