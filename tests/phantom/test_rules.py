"""Rules by which radiologists read, checked on samples of the tables."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from scripts.lidia.phantom.cohorts import RECIPES
from scripts.lidia.phantom.enhancement import ORDERS, deviation, part_values
from scripts.lidia.phantom.looks import Look, Part
from scripts.lidia.phantom.patient import LOOKS, Patient, sample_patient

NAMES = {look.name: look for look in LOOKS}
A, V, D = 1, 2, 3


def sample_parts(name: str, kind: str = "body", cohort: str = "internal", count: int = 60) -> list[tuple]:
    """(HU a phase, patient) of a part of a look in `count` patients."""
    look, recipe = NAMES[name], RECIPES[cohort]
    found = []
    for number in range(count):
        rng = np.random.default_rng(number)
        patient = sample_patient(rng, recipe, [name])
        part = next(part for part in look.parts if part.kind == kind)
        found.append((sample_part(part, look, patient, recipe.spread, rng), patient))
    return found


def sample_part(part: Part, look: Look, patient: Patient, spread: float, rng: np.random.Generator) -> NDArray:
    values = part_values(part, look, patient, spread, deviation(rng), rng)
    if part.kind == "body" and look.order:
        values = ORDERS[look.order](values, patient, look.diameter[0], rng)
    return values


@pytest.mark.parametrize("cohort", ["internal", "external"])
@pytest.mark.parametrize("name", ["HCC_typical", "HCC_small"])
def test_hcc_enhances_and_washes_out(name: str, cohort: str) -> None:
    for hu, patient in sample_parts(name, cohort=cohort):
        assert hu[A] > patient.liver[A]
        assert hu[D] < patient.liver[D] / 1.07


def test_a_third_of_hcc_washes_out_in_the_venous_phase_already() -> None:
    share = np.mean([hu[V] < patient.liver[V] - 5 for hu, patient in sample_parts("HCC_typical", count=100)])
    assert 0.25 < share < 0.95


def test_hypovascular_hcc_is_the_hard_negative() -> None:
    excess = [hu[A] - patient.liver[A] for hu, patient in sample_parts("HCC_hypovascular")]
    assert np.mean(excess) < 8


@pytest.mark.parametrize("cohort", ["internal", "external"])
def test_the_centre_of_icc_rises_from_phase_to_phase(cohort: str) -> None:
    for hu, _ in sample_parts("ICC", cohort=cohort):
        assert hu[D] > hu[V] > hu[A]


@pytest.mark.parametrize(("name", "kind"), [("hemangioma_typical", "globules"), ("hemangioma_flash", "body")])
def test_hemangioma_is_blood_pool(name: str, kind: str) -> None:
    for hu, patient in sample_parts(name, kind):
        aorta = patient.vessels["aorta"]
        assert abs(hu[D] - aorta[D]) < 0.1 * aorta[D]
        assert hu[A] < 1.05 * aorta[A]


def test_fnh_is_isodense_in_the_venous_phase_and_its_scar_bright_late() -> None:
    gaps = []
    for hu, patient in sample_parts("FNH"):
        assert hu[A] > patient.liver[A]
        gaps.append(abs(hu[V] - patient.liver[V]))
    assert np.mean(gaps) < 10
    late = [hu[D] - patient.liver[D] for hu, patient in sample_parts("FNH", "scar")]
    dark = [hu[D] - patient.liver[D] for hu, patient in sample_parts("fibrolamellar", "scar")]
    assert np.mean(late) > 8 and np.mean(dark) < -15


@pytest.mark.parametrize(
    "name", ["cyst", "calcification_granuloma", "calcification_stones", "calcification_plaque"]
)
def test_cyst_and_calcification_are_constant(name: str) -> None:
    for hu, _ in sample_parts(name):
        assert np.ptp(hu) < 5


def test_the_mimics_of_hcc_part_in_the_delayed_phase() -> None:
    """Without it, small HCC and flash hemangioma overlap; with it they do not."""
    hcc = np.array([hu - patient.liver for hu, patient in sample_parts("HCC_small", count=100)])
    flash = np.array([hu - patient.liver for hu, patient in sample_parts("hemangioma_flash", count=100)])
    assert np.percentile(flash[:, D], 5) > np.percentile(hcc[:, D], 95)
    assert np.percentile(flash[:, A], 5) < np.percentile(hcc[:, A], 95)


def test_contrast_timing_is_common_to_vessels_and_vascular_lesions() -> None:
    pairs = [
        (hu[A], patient.vessels["aorta"][A]) for hu, patient in sample_parts("hemangioma_flash", count=100)
    ]
    assert np.corrcoef(np.array(pairs).T)[0, 1] > 0.3
