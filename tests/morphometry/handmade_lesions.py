"""Lesions of known attenuation in a liver: spheres with a rim, a core and a capsule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.morphometry.lirads_features import measure_lirads

SPACING = (2.0, 2.0, 2.0)
SHAPE = (44, 44, 44)
LIVER = {"nc": 55.0, "arterial": 75.0, "venous": 105.0, "delayed": 90.0}
"""HU of the liver by phase."""


def find_distance() -> NDArray[np.float64]:
    """Distance of the voxels from the centre in mm."""
    index = np.indices(SHAPE).reshape(3, -1).T - (np.array(SHAPE) - 1) / 2
    return np.linalg.norm(index * SPACING, axis=1).reshape(SHAPE)


def measure(
    parts: Mapping[str, tuple[float, Mapping[str, float]]],
    noise: float = 0.0,
    without: tuple[str, ...] = (),
    **options: Any,
) -> dict[str, Any]:
    """Evidence of a lesion.

    Args:
        parts: outer radius in mm and HU by phase of each part, the outermost first; the first is the lesion's
            own radius.
        noise: standard deviation of white noise in HU.
        without: phases that are missing.
        options: further arguments of `measure_lirads`.
    """
    distance, rng = find_distance(), np.random.default_rng(5)
    radius = next(iter(parts.values()))[0]
    hu = {}
    for phase, liver in LIVER.items():
        volume = np.full(SHAPE, liver)
        for outer, values in parts.values():
            volume[distance < outer] = values[phase]
        volume += noise * rng.standard_normal(SHAPE)
        if phase not in without:
            hu[phase] = volume
    lesion = distance < radius
    whole = np.ones(SHAPE, bool)
    return measure_lirads(hu, lesion, lesion, whole, SPACING, diameter_mm=2 * radius, **options)


def name_states(evidence: dict[str, Any]) -> dict[str, str]:
    """State by feature."""
    return {name: finding["state"] for name, finding in evidence["features"].items()}


def make_curve(nc: float, arterial: float, venous: float, delayed: float) -> dict[str, float]:
    """HU by phase."""
    return {"nc": nc, "arterial": arterial, "venous": venous, "delayed": delayed}


HCC = make_curve(48, 110, 98, 70)
CAPSULE = make_curve(50, 75, 125, 120)
CYST = make_curve(6, 7, 8, 7)
SCLEROTIC = make_curve(37, 50, 70, 100)
RIM = make_curve(40, 105, 100, 75)
