"""Where the organs of a phantom patient are: the truth that the landmark finder is measured against."""

from __future__ import annotations

import numpy as np

from scripts.lidia.phantom.breathing import LIMITS
from scripts.lidia.phantom.case import Case, Volume, _draw_body, sample_case
from scripts.lidia.phantom.cohorts import RECIPES
from scripts.lidia.phantom.patient import sample_patient
from scripts.lidia.phantom.scanner import drawing_frame, plan_scans
from scripts.lidia.phantom.shapes import Frame
from scripts.lidia.phantom.tissues import NUMBER

Truth = dict[str, tuple[np.ndarray, float]]
"""Centre (RAS mm) and HU of each organ."""
PARTS = {
    "kidney": ("kidney_cortex", "kidney_medulla"),
    "aorta": ("aorta",),
    "spleen": ("spleen",),
    "liver": ("liver",),
}


def organs_of(seed: int, index: int, cohort: str) -> tuple[Case, np.ndarray, Frame]:
    """A case, its map of organ numbers, and the frame of that map."""
    recipe = RECIPES[cohort]
    streams = np.random.SeedSequence([seed, recipe.number, index]).spawn(6)
    for_patient, for_scans, for_body, *_ = map(np.random.default_rng, streams)
    patient = sample_patient(for_patient, recipe, None)
    venous = plan_scans(for_scans, recipe, None, None)["venous"]
    frame, _, _ = drawing_frame(venous.frame, LIMITS["residual"] + 12)
    organs = _draw_body(frame, for_body, patient)[0]
    return sample_case(seed, index, cohort), organs, frame


def truth_in(volume: Volume, phase: int, case: Case, organs: np.ndarray, frame: Frame) -> Truth:
    """Centres and HU of the organs, as far as a volume shows them."""
    corners = volume.affine @ np.array([[0, 0, 0, 1], [*np.array(volume.data.shape) - 1, 1]]).T
    low, high = corners[:3].min(1), corners[:3].max(1)
    inside = [(axis >= a) & (axis <= b) for axis, a, b in zip(frame, low, high, strict=True)]
    visible = organs[np.ix_(*inside)]
    axes = [axis[keep] for axis, keep in zip(frame, inside, strict=True)]
    collected: Truth = {}
    for name, parts in PARTS.items():
        mask = np.isin(visible, [NUMBER[part] for part in parts])
        sides = {"": mask}
        if name == "kidney":
            right = axes[0][:, None, None] > 0
            sides = {"_right": mask & right, "_left": mask & ~right}
        for side, part in sides.items():
            at = np.argwhere(part)
            if not len(at):
                continue
            centre = np.array([axis[column].mean() for axis, column in zip(axes, at.T, strict=True)])
            hu = float(case.patient.organs[visible[part], phase].mean())
            collected[name + side] = centre, hu
    return collected
