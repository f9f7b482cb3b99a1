"""Implanted patients whose lesions are all small."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.implant.anatomy import Anatomy
from scripts.lidia.implant.implant_case import draw_implant
from scripts.lidia.implant.small_lesions import COUNT, DIAMETER, make_lesions_small
from scripts.lidia.phantom.cohorts import RECIPES
from scripts.lidia.phantom.patient import sample_patient


@pytest.mark.parametrize("seed", range(5))
def test_several_lesions_of_the_same_looks_at_most_12_mm_wide(seed: int) -> None:
    rng = np.random.default_rng(seed)
    patient = sample_patient(rng, RECIPES["internal"])
    small = make_lesions_small(patient, rng)
    if not patient.plan:
        assert small is patient
        return
    assert COUNT[0] <= len(small.plan) <= COUNT[1]
    assert {look.name for look in small.plan} <= {look.name for look in patient.plan}
    assert all(look.diameter == DIAMETER for look in small.plan)


def test_implants_are_small_with_the_stated_probability(anatomy: Anatomy) -> None:
    always, never, default = (
        draw_implant(anatomy, 1, 0, looks=["cyst", "FNH"], small_lesions_prob=p) for p in (1.0, 0.0, 0.0)
    )
    widths = [lesion.diameter for lesion in always.matte.lesions]
    assert widths and max(widths) <= DIAMETER[2]
    assert np.array_equal(never.matte.instances, default.matte.instances)
    assert np.array_equal(never.noise_shifts, always.noise_shifts)
