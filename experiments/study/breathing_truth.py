"""Compute the true breathing displacement of a phantom between the venous phase and another phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from scripts.lidia.phantom.body import paint_trunk
from scripts.lidia.phantom.breathing import LIMITS, Breathing
from scripts.lidia.phantom.case import GRAINS
from scripts.lidia.phantom.cohorts import RECIPES
from scripts.lidia.phantom.patient import sample_patient
from scripts.lidia.phantom.scanner import drawing_frame, plan_scans
from scripts.lidia.phantom.shapes import Frame, Grain

ROUNDS = 30
"""Rounds of the fixed-point inversion: each reduces the error to at most a third."""


class PhaseDisplacement(NamedTuple):
    """The displacement of one phase.

    Attributes:
        frame: voxel centres of that phase's scan, RAS mm.
        shift: (3, X, Y, Z) mm from positions in that phase to positions in the venous one.
    """

    frame: Frame
    shift: NDArray[np.float32]

    def locate(self, venous_positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the positions in this phase of points (3, N) of the venous phase, RAS mm."""
        origin = np.array([[axis[0]] for axis in self.frame], float)
        spacing = np.reshape(self.frame.spacing, (3, 1))
        positions = venous_positions.copy()
        for _ in range(ROUNDS):
            index = (positions - origin) / spacing
            shift = [map_coordinates(part, index, order=1, mode="nearest") for part in self.shift]
            positions = venous_positions - np.array(shift)
        return positions


def redraw_displacements(
    seed: int,
    index: int,
    cohort: str = "internal",
    *,
    breathing: str = "raw",
    spacing: Sequence[float] | None = None,
    fov: Sequence[float] | None = None,
) -> dict[str, PhaseDisplacement]:
    """Compute a phantom patient's breathing again, with the random numbers of `phantom.case.sample_case`.

    Args:
        seed: of the cohort.
        index: of the case.
        cohort: `internal` or `external`.
        breathing: `residual` or `raw`.
        spacing: of the cohort.
        fov: of the cohort.

    Returns:
        The displacement of every phase but the venous one that the patient has.
    """
    recipe = RECIPES[cohort]
    streams = np.random.SeedSequence([seed, recipe.number, index]).spawn(6)
    for_patient, for_scans, for_body, _, for_breath, _ = map(np.random.default_rng, streams)
    patient = sample_patient(for_patient, recipe, None)
    scans = plan_scans(for_scans, recipe, spacing, fov)
    frame = drawing_frame(scans["venous"].frame, LIMITS[breathing] + 12)[0]
    Grain(for_body, frame.spacing, GRAINS)  # advances the random stream of the body
    front = paint_trunk(np.zeros(frame.shape, np.uint8), frame, for_body).front
    breaths = {}
    for phase, scan in scans.items():
        breath = Breathing(breathing, for_breath, front)
        if phase in patient.phases and phase != "venous":
            fields = [np.broadcast_to(part, scan.frame.shape) for part in breath(scan.frame)]
            breaths[phase] = PhaseDisplacement(scan.frame, np.stack(fields).astype(np.float32))
    return breaths
