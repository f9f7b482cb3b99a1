from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from scripts.lidia.phantom.cohorts import RECIPES
from scripts.lidia.phantom.enhancement import ORDERS
from scripts.lidia.phantom.looks import COMMON, Look
from scripts.lidia.phantom.outlines import OUTLINES
from scripts.lidia.phantom.parts import FORMS
from scripts.lidia.phantom.patient import LOOKS
from scripts.lidia.phantom.rare import RARE
from scripts.lidia.phantom.tissues import LIVERS
from scripts.lidia.vocabulary import BENIGN, LESION_CLASSES, MALIGNANT, OTHERS


def test_forty_four_rare_looks_and_every_common_class() -> None:
    assert len(RARE) == 44
    assert {look.group for look in RARE} == {OTHERS}
    assert {look.group for look in COMMON} == set(LESION_CLASSES) - {OTHERS}
    assert len({look.name for look in LOOKS}) == len(LOOKS)


@pytest.mark.parametrize("look", LOOKS, ids=[look.name for look in LOOKS])
def test_a_look_speaks_the_grammar(look: Look) -> None:
    assert look.parts[0].kind in ("body", "halo")
    assert "body" in [part.kind for part in look.parts]
    assert {part.kind for part in look.parts} <= set(FORMS)
    assert {part.base for part in look.parts} <= {"tissue", "pool", "fixed", "added"}
    assert look.shape in OUTLINES and look.liver in LIVERS and look.home in ("", *LIVERS)
    assert look.order in ("", *ORDERS)
    assert look.diameter[1] < look.diameter[0] < look.diameter[2]
    assert sum(chance for _, _, chance in look.number) == pytest.approx(1)


def test_sides_agree_with_the_vocabulary() -> None:
    sides = {group: {look.side for look in LOOKS if look.group == group} for group in LESION_CLASSES}
    assert all(sides[group] == {"M"} for group in MALIGNANT)
    assert all(sides[group] == {"B"} for group in BENIGN)
    assert sides[OTHERS] == {"M", "B", "?"}


def test_the_external_recipe_is_another_hospital() -> None:
    inside, outside = RECIPES["internal"], RECIPES["external"]
    same = [field for field in inside._fields if getattr(inside, field) == getattr(outside, field)]
    assert same == ["delayed"]
    assert outside.in_plane[0] > inside.in_plane[1]
    assert np.argmax(outside.primary) == 0


def test_the_hard_recipe_is_frozen() -> None:
    assert sha256(repr(tuple(RECIPES["hard"])).encode()).hexdigest()[:16] == "3c75843ff662a3d6"


def test_the_hard_cohort_is_harder_than_both_others() -> None:
    hard, others = RECIPES["hard"], (RECIPES["internal"], RECIPES["external"])
    assert all(hard.noise[0] > other.noise[0] and hard.noise[1] > other.noise[1] for other in others)
    assert all(hard.delayed < other.delayed and hard.spread > other.spread for other in others)
    assert all(hard.second > other.second and hard.livers[0] < other.livers[0] for other in others)
    assert len({recipe.number for recipe in RECIPES.values()}) == 3, "no patient of one cohort is in another"
