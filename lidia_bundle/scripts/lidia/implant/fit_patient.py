"""The phantom's patient who fits a background: his parenchyma and blood are what the CT shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scripts.lidia.implant.tissue_map import Levels
from scripts.lidia.phantom.patient import Patient, draw, sample_patient
from scripts.lidia.phantom.recipes import Recipe
from scripts.lidia.phantom.tissues import LIVERS, NUMBER
from scripts.lidia.vocabulary import PHASES

CIRRHOTIC = "cirrhotic"
"""A liver whose form the background would have to show; it is never drawn."""
NO_PLACE = ("gallbladder",)
"""Outlines that need an organ which is not looked for in the background."""


def fit_patient(
    rng: np.random.Generator, recipe: Recipe, levels: Levels, phase: str, looks: Sequence[str] | None
) -> Patient:
    """Draws a patient and his lesions as for a phantom, then gives him the background's levels.

    Args:
        rng: source of the draw.
        recipe: the hospital: which lesions, how many, which timing.
        levels: what the background shows in its phase.
        phase: that phase.
        looks: names of looks, one lesion each, instead of a drawn disease.

    Raises:
        ValueError: there is no look of that name.
    """
    patient = sample_patient(rng, recipe, looks)
    number = PHASES.index(phase)
    kind = _kind(rng, recipe, levels.liver, number)
    liver = draw(rng, LIVERS[kind])
    liver = liver + np.float32(levels.liver - liver[number])
    vessels = dict(patient.vessels)
    dose = patient.dose
    if levels.seen and phase != "nc":
        drawn = vessels["aorta"]
        factor = float(np.clip((levels.blood - drawn[0]) / (drawn[number] - drawn[0]), 0.5, 1.6))
        vessels = {name: v[0] + (v - v[0]) * np.float32(factor) for name, v in vessels.items()}
        dose = float(np.clip(dose * factor, 0.6, 1.4))
    organs = patient.organs.copy()
    organs[NUMBER["liver"]] = liver
    for name, values in vessels.items():
        if name in NUMBER:
            organs[NUMBER[name]] = values
    plan = tuple(look for look in patient.plan if look.home in ("", kind) and look.shape not in NO_PLACE)
    return patient._replace(kind=kind, liver=liver, vessels=vessels, organs=organs, dose=dose, plan=plan)


def _kind(rng: np.random.Generator, recipe: Recipe, level: float, number: int) -> str:
    """A kind of liver whose parenchyma may have this level in the phase of this number."""
    kinds = [kind for kind in LIVERS if kind != CIRRHOTIC]
    odds = []
    for kind, weight in zip(LIVERS, recipe.livers, strict=True):
        if kind in kinds:
            mean, spread = LIVERS[kind].hu[number], LIVERS[kind].sd[number]
            odds.append(np.log(weight) - 0.5 * ((level - mean) / spread) ** 2 - np.log(spread))
    chances = np.exp(np.array(odds) - max(odds))
    return kinds[int(rng.choice(len(kinds), p=chances / chances.sum()))]
