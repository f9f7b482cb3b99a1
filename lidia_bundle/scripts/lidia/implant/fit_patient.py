"""Draws a phantom patient whose parenchyma and blood have the HU of the background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scripts.lidia.implant.segment_tissues import Levels
from scripts.lidia.phantom.patient import Patient, draw, sample_patient
from scripts.lidia.phantom.recipes import Recipe
from scripts.lidia.phantom.tissues import LIVERS, NUMBER
from scripts.lidia.vocabulary import PHASES

CIRRHOTIC = "cirrhotic"
"""Kind of liver that is never drawn, because the background does not have its shape."""
UNSUPPORTED_SHAPES = ("gallbladder",)
"""Outlines that need an organ that is not segmented in the background."""


def fit_patient(
    rng: np.random.Generator, recipe: Recipe, levels: Levels, phase: str, looks: Sequence[str] | None
) -> Patient:
    """Draws a patient with lesions as for a phantom, then applies the HU levels of the background.

    Args:
        rng: random generator.
        recipe: the hospital: types and number of lesions, contrast timing.
        levels: HU levels of the background in its phase.
        phase: that phase.
        looks: names of appearances, one lesion of each, instead of a random disease.

    Raises:
        ValueError: if a name in `looks` is unknown.
    """
    patient = sample_patient(rng, recipe, looks)
    number = PHASES.index(phase)
    kind = _draw_liver_kind(rng, recipe, levels.liver, number)
    liver = draw(rng, LIVERS[kind])
    liver = liver + np.float32(levels.liver - liver[number])
    vessels = dict(patient.vessels)
    dose = patient.dose
    if levels.has_vessels and phase != "nc":
        aorta = vessels["aorta"]
        factor = float(np.clip((levels.blood - aorta[0]) / (aorta[number] - aorta[0]), 0.5, 1.6))
        vessels = {name: v[0] + (v - v[0]) * np.float32(factor) for name, v in vessels.items()}
        dose = float(np.clip(dose * factor, 0.6, 1.4))
    organs = patient.organs.copy()
    organs[NUMBER["liver"]] = liver
    for name, values in vessels.items():
        if name in NUMBER:
            organs[NUMBER[name]] = values
    plan = tuple(
        look for look in patient.plan if look.home in ("", kind) and look.shape not in UNSUPPORTED_SHAPES
    )
    return patient._replace(kind=kind, liver=liver, vessels=vessels, organs=organs, dose=dose, plan=plan)


def _draw_liver_kind(rng: np.random.Generator, recipe: Recipe, level: float, number: int) -> str:
    """Draws a kind of liver, weighted by how well its HU in the phase `number` fit the level."""
    kinds = [kind for kind in LIVERS if kind != CIRRHOTIC]
    odds = []
    for kind, weight in zip(LIVERS, recipe.livers, strict=True):
        if kind in kinds:
            mean, spread = LIVERS[kind].hu[number], LIVERS[kind].sd[number]
            odds.append(np.log(weight) - 0.5 * ((level - mean) / spread) ** 2 - np.log(spread))
    chances = np.exp(np.array(odds) - max(odds))
    return kinds[int(rng.choice(len(kinds), p=chances / chances.sum()))]
