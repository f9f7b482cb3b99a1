"""Defines the HU of vessels, organs and four kinds of liver, by phase.

A row holds the mean in the order of `vocabulary.PHASES` and one standard deviation between patients (HU).
"""

from __future__ import annotations

from typing import NamedTuple

Four = tuple[float, float, float, float]
"""One value a phase: nc, arterial, venous, delayed."""


class Tissue(NamedTuple):
    """Attenuation of one tissue.

    Attributes:
        hu: mean per phase in HU.
        sd: standard deviation between patients per phase in HU.
    """

    hu: Four
    sd: Four


def _same(value: float, sd: float) -> Tissue:
    return Tissue((value, value, value, value), (sd, sd, sd, sd))


VESSELS = {
    "aorta": Tissue((42, 320, 165, 112), (4, 40, 18, 9)),
    "portal": Tissue((42, 130, 175, 112), (4, 25, 18, 9)),
    "hepatic": Tissue((42, 65, 165, 110), (4, 12, 18, 9)),
    "cava": Tissue((42, 95, 150, 110), (4, 30, 18, 9)),
}
"""Vessels; they share the contrast timing of the patient."""

LIVERS = {
    "normal": Tissue((58, 79, 118, 93), (5, 7, 9, 7)),
    "mild_fat": Tissue((38, 57, 95, 72), (7, 8, 10, 8)),
    "severe_fat": Tissue((10, 27, 62, 42), (8, 9, 10, 9)),
    "cirrhotic": Tissue((54, 72, 102, 87), (5, 7, 9, 7)),
}

ORGANS = {
    "air": _same(-1024, 0),
    "skin_fat": Tissue((-105, -104, -102, -102), (8, 8, 8, 8)),
    "muscle": Tissue((55, 60, 68, 69), (5, 5, 6, 6)),
    "fat": Tissue((-105, -104, -102, -102), (8, 8, 8, 8)),
    "rib": _same(650, 120),
    "cancellous": _same(170, 40),
    "cortical": _same(800, 150),
    "canal": _same(10, 4),
    "lung": _same(-850, 35),
    "heart": Tissue((42, 170, 150, 108), (4, 30, 16, 8)),
    "kidney_cortex": Tissue((33, 190, 185, 150), (4, 30, 22, 18)),
    "kidney_medulla": Tissue((33, 70, 150, 150), (4, 12, 18, 18)),
    "spleen": Tissue((48, 140, 125, 96), (4, 22, 12, 9)),
    "stomach_wall": Tissue((40, 80, 95, 80), (4, 13, 11, 9)),
    "stomach_content": _same(22, 10),
    "bowel_wall": Tissue((40, 80, 95, 80), (4, 13, 11, 9)),
    "bowel_content": _same(28, 12),
    "gas": _same(-950, 20),
    "pancreas": Tissue((42, 105, 95, 75), (7, 16, 12, 9)),
    "liver": LIVERS["normal"],
    "bile": Tissue((8, 8, 9, 10), (4, 4, 4, 4)),
    "bile_wall": Tissue((35, 62, 80, 75), (5, 8, 8, 8)),
    "aorta": VESSELS["aorta"],
    "portal": VESSELS["portal"],
    "cava": VESSELS["cava"],
}
"""All organs of the organ map, in the order of their numbers."""

NUMBER = {name: number for number, name in enumerate(ORGANS)}
"""Number of an organ in the organ map (uint8)."""
