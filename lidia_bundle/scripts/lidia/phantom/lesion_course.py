"""Draws the course of a patient's lesions over several dates: growth, shrinkage, treatment, merging.

It is no part of the frozen recipe: a cohort with one time point does not use it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.phantom.lesions import Places, _diameter
from scripts.lidia.phantom.liver import Liver
from scripts.lidia.phantom.looks import NECROSIS, Look
from scripts.lidia.phantom.patient import MOST_LESIONS, Patient
from scripts.lidia.phantom.shapes import Frame

ACTIVE = {"stable": 0.26, "grown": 0.28, "shrunk": 0.14, "treated": 0.12, "gone": 0.09, "new": 0.11}
"""Probability of each event between two dates for malignant lesions."""
QUIET = {"stable": 0.80, "grown": 0.07, "shrunk": 0.03, "gone": 0.04, "new": 0.06}
"""The same for all other lesions."""
PAIR_PROB = 0.15
"""Share of malignant lesions that get a neighbour with which they merge, or from which they separate."""
GROWN, GROWN_MM, SHRUNK = 0.20, 5.0, -0.30
"""Relative and absolute change of the longest diameter from which a lesion has grown or shrunk: the limits of
RECIST 1.1 for sums of diameters (Eisenhauer et al., Eur J Cancer 2009;45:228-247, section 4.3.1)."""
LARGEST_MM = 95.0
TREATED_PARTS = (NECROSIS._replace(size=(0.65, 0.85), chance=1.0, above=0.0),)
"""Parts that treatment adds: a core without enhancement."""


class Course(NamedTuple):
    """One lesion over all dates.

    Attributes:
        lesion: number of the lesion, the same at all dates, from 1.
        look: its look before treatment.
        centre: (3,) mm.
        diameters: planned diameter in mm at each date, 0 where the lesion is absent.
        treated: whether it is necrotic after treatment, at each date.
        seed: seed of its shape and HU.
    """

    lesion: int
    look: Look
    centre: NDArray[np.float64]
    diameters: tuple[float, ...]
    treated: tuple[bool, ...]
    seed: int


def name_change(before_mm: float, after_mm: float) -> str:
    """Names the change of a lesion that both dates show: `grown`, `shrunk` or `stable`."""
    if after_mm - before_mm >= GROWN_MM and after_mm / before_mm - 1 >= GROWN:
        return "grown"
    return "shrunk" if after_mm / before_mm - 1 <= SHRUNK else "stable"


def draw_courses(
    rng: np.random.Generator, frame: Frame, liver: Liver, patient: Patient, dates: int, *, unchanged: bool
) -> list[Course]:
    """Draws all lesions of a patient, with their places and their diameters at each date.

    Args:
        rng: random generator.
        frame: frame of the drawing.
        liver: box and mask of the liver.
        patient: the patient, whose `plan` names the looks.
        dates: number of dates.
        unchanged: no lesion changes between the dates.
    """
    places = Places(frame, liver)
    courses: list[Course] = []
    for look in patient.plan:
        if len(courses) >= MOST_LESIONS:
            break
        if not unchanged and look.side == "M" and rng.random() < PAIR_PROB:
            courses += _draw_pair(rng, frame, liver, places, look, dates, len(courses) + 1)
            continue
        diameters, treated = _draw_diameters(rng, look, dates, unchanged)
        place = places.find(look, max(diameters), rng)
        if place is None:
            continue
        centre, radius = place
        scaled = tuple(2 * radius / max(diameters) * diameter for diameter in diameters)
        seed = int(rng.integers(2**32))
        courses.append(Course(len(courses) + 1, look, centre, scaled, treated, seed))
    return courses


def _draw_diameters(
    rng: np.random.Generator, look: Look, dates: int, unchanged: bool
) -> tuple[list[float], tuple[bool, ...]]:
    diameter = _diameter(look, rng)
    if unchanged:
        return [diameter] * dates, (False,) * dates
    chances = ACTIVE if look.side == "M" else QUIET
    events = [str(event) for event in rng.choice(list(chances), size=dates - 1, p=list(chances.values()))]
    diameters, treated = [diameter], [False]
    if events[0] == "new":
        first = int(rng.integers(1, dates))
        diameters, treated = [0.0] * first + [diameter], [False] * (first + 1)
    for event in events[len(diameters) - 1 :]:
        diameters.append(_draw_next(rng, diameters[-1], event))
        treated.append(treated[-1] or (event == "treated" and diameters[-2] >= 15))
    return diameters, tuple(treated)


def _draw_next(rng: np.random.Generator, diameter: float, event: str) -> float:
    """Draws the diameter (mm) at the next date; changes of small lesions are large enough to be measured."""
    if event == "gone" or not diameter:
        return 0.0
    if event == "grown":
        return float(max(diameter, min(max(diameter * rng.uniform(1.35, 1.9), diameter + 7), LARGEST_MM)))
    if event == "shrunk" and diameter >= 16:
        return float(diameter * rng.uniform(0.4, 0.6))
    if event == "treated" and diameter >= 15:
        return float(diameter * rng.uniform(0.6, 1.1))
    return float(diameter * rng.uniform(0.97, 1.03))


def _draw_pair(
    rng: np.random.Generator, frame: Frame, liver: Liver, places: Places, look: Look, dates: int, number: int
) -> list[Course]:
    """Draws two neighbours that grow until they merge, or a merged lesion that separates as it shrinks."""
    small = float(np.clip(_diameter(look, rng), 10, 18))
    apart = 1.15 * small + 5
    large = (apart + 3) / 0.88
    change = int(rng.integers(1, dates))
    diameters = [small] * change + [large] * (dates - change)
    if rng.random() < 0.4:
        diameters = diameters[::-1]
    place = places.find(look, apart + large, rng)
    if place is None:
        return []
    centre, radius = place
    scale = 2 * radius / (apart + large)
    for _ in range(12):
        way = rng.standard_normal(3) * (1, 1, 0.5)
        shift = way / np.linalg.norm(way) * apart * scale / 2
        if all(_is_inside(frame, liver, centre + sign * shift) for sign in (-1, 1)):
            break
    else:
        return []
    return [
        Course(
            number + step,
            look,
            centre + (2 * step - 1) * shift,
            tuple(scale * diameter for diameter in diameters),
            (False,) * dates,
            int(rng.integers(2**32)),
        )
        for step in (0, 1)
    ]


def _is_inside(frame: Frame, liver: Liver, point: NDArray[np.float64]) -> bool:
    """Returns whether a point (mm) lies in the liver."""
    index = [
        int(np.searchsorted(axis[cut], value))
        for axis, cut, value in zip(frame, liver.box, point, strict=True)
    ]
    inside = all(0 <= i < size for i, size in zip(index, liver.mask.shape, strict=True))
    return bool(inside and liver.mask[tuple(index)])
