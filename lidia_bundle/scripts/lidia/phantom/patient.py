"""Draws a patient: liver, tissue attenuation, contrast timing and the planned lesions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.phantom.looks import COMMON, Look
from scripts.lidia.phantom.rare import RARE
from scripts.lidia.phantom.recipes import Recipe
from scripts.lidia.phantom.tissues import LIVERS, NUMBER, ORGANS, VESSELS, Tissue
from scripts.lidia.vocabulary import CALCIFICATION, CYST, FIRST_LESION, OTHERS, PHASES

LOOKS = COMMON + RARE
ARTERIAL, VENOUS, DELAYED = 1, 2, 3
INCIDENTAL = (5, CYST, CALCIFICATION)
MOST_LESIONS = 12


class Patient(NamedTuple):
    """Values that are drawn once per patient.

    Attributes:
        kind: liver kind of `tissues.LIVERS`.
        liver: (4,) HU of the parenchyma.
        vessels: (4,) HU of each vessel of `tissues.VESSELS`.
        organs: (organs, 4) HU by number of the organ map.
        dose: factor on vascular enhancement.
        arterial: factor on arterial enhancement of lesions.
        washout: factor on delayed washout.
        plan: looks of the planned lesions, the main disease first.
        phases: the phases that were scanned.
    """

    kind: str
    liver: NDArray[np.float32]
    vessels: dict[str, NDArray[np.float32]]
    organs: NDArray[np.float32]
    dose: float
    arterial: float
    washout: float
    plan: tuple[Look, ...]
    phases: tuple[str, ...]


def draw(rng: np.random.Generator, tissue: Tissue, common: float = 0.75) -> NDArray[np.float32]:
    """Draws the HU (4,) of a tissue in one patient; contrast phases share `common` of their deviation."""
    shared = rng.standard_normal()
    own = rng.standard_normal(4)
    deviation = common * shared + np.sqrt(1 - common**2) * own
    deviation[0] = own[0]
    if len(set(tissue.hu)) == 1:
        deviation[:] = shared
    return (np.asarray(tissue.hu) + np.asarray(tissue.sd) * np.clip(deviation, -2.2, 2.2)).astype(np.float32)


def sample_patient(rng: np.random.Generator, recipe: Recipe, wanted: Sequence[str] | None = None) -> Patient:
    """Draws a patient of a hospital.

    Args:
        rng: random generator.
        recipe: the hospital.
        wanted: names of looks, one lesion of each, instead of a random disease; the patient has all phases.

    Raises:
        ValueError: if there is no look of that name.
    """
    if wanted is None:
        looks = [_look(rng, group) for group in _diseases(rng, recipe)]
    else:
        known = {look.name: look for look in LOOKS}
        if missing := [name for name in wanted if name not in known]:
            raise ValueError(f"no look is called {missing[0]!r}; choose among {', '.join(known)}")
        looks = [known[name] for name in wanted]
    kind = _liver_kind(rng, recipe, looks)
    looks = [look for look in looks if look.home in ("", kind)]
    count = 1 if wanted is not None else 0
    plan = [look for look in looks for _ in range(count or _count(rng, look))][:MOST_LESIONS]

    dose, early = rng.uniform(*recipe.dose), rng.uniform(*recipe.arterial)
    vessels = {name: _timed(draw(rng, tissue), dose, early) for name, tissue in VESSELS.items()}
    organs = np.stack([draw(rng, tissue) for tissue in ORGANS.values()])
    liver = draw(rng, LIVERS[kind])
    for name, values in vessels.items():
        if name in NUMBER:
            organs[NUMBER[name]] = values
    organs[NUMBER["liver"]] = liver
    for name in ("heart", "spleen", "kidney_cortex"):
        organs[NUMBER[name]] = _timed(organs[NUMBER[name]], dose, early)
    complete = rng.random() < recipe.delayed or wanted is not None
    phases = PHASES if complete else PHASES[:DELAYED]
    return Patient(
        kind, liver, vessels, organs, dose, early, rng.uniform(*recipe.washout), tuple(plan), phases
    )


def _timed(values: NDArray[np.float32], dose: float, early: float) -> NDArray[np.float32]:
    """Scales enhancement over the unenhanced value; the dose has half the effect on a late phase."""
    factors = np.array([0, dose * early, (1 + dose) / 2, (1 + dose) / 2], np.float32)
    return values[0] + (values - values[0]) * np.where(np.arange(4) == 0, 1, factors).astype(np.float32)


def _diseases(rng: np.random.Generator, recipe: Recipe) -> list[int]:
    """Draws the classes of a patient's lesions, the main one first, without repeats."""
    if rng.random() < recipe.healthy:
        return []
    weights = np.asarray(recipe.primary) / sum(recipe.primary)
    groups = [int(rng.choice(len(weights), p=weights)) + FIRST_LESION]
    if rng.random() < recipe.second:
        groups.append(int(rng.integers(FIRST_LESION, OTHERS + 1)))
    groups += [group for group, p in zip(INCIDENTAL, recipe.incidental, strict=True) if rng.random() < p]
    return list(dict.fromkeys(groups))


def _look(rng: np.random.Generator, group: int) -> Look:
    looks = [look for look in LOOKS if look.group == group]
    weights = np.array([look.weight for look in looks])
    return looks[int(rng.choice(len(looks), p=weights / weights.sum()))]


def _count(rng: np.random.Generator, look: Look) -> int:
    chances = np.array([chance for _, _, chance in look.number])
    low, high, _ = look.number[int(rng.choice(len(chances), p=chances / chances.sum()))]
    return int(rng.integers(low, high + 1))


def _liver_kind(rng: np.random.Generator, recipe: Recipe, looks: list[Look]) -> str:
    """Draws the kind of liver: mostly cirrhotic for HCC, healthy for FNH, or as a look requires."""
    kinds = list(LIVERS)
    weights = np.asarray(recipe.livers)
    wanted = [look.home for look in looks if look.home]
    if wanted:
        return wanted[0]
    if looks and looks[0].liver == "cirrhotic":
        weights = np.array([0.15, 0.08, 0.02, 0.75])
    elif looks and looks[0].name == "FNH":
        weights = np.array([0.78, 0.17, 0.05, 0.0])
    return kinds[int(rng.choice(4, p=weights / weights.sum()))]
