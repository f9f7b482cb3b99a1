"""Decide whether a scan could have shown a lesion: its field of view and its phases."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.data.phase_sampling import read_phase_crop, sample_hu
from scripts.lidia.followup.align_studies import StudyAlignment
from scripts.lidia.followup.read_study import Study
from scripts.lidia.geometry.grid import to_mm
from scripts.lidia.morphometry.tissue_samples import sample_mask, sample_parenchyma


def compute_covered_share(points_mm: NDArray[np.float64], study: Study, alignment: StudyAlignment) -> float:
    """Compute the share of points (3, N), RAS mm of the latest date, inside the field of view of a date."""
    if not points_mm.shape[1]:
        return 1.0
    return float(study.grid.contains(alignment.map_points(points_mm)).mean())


def measure_contrast(study: Study, lesion: int) -> dict[str, float]:
    """Measure the contrast of a lesion to the liver in each readable phase: HU, NaN outside the phase.

    Args:
        study: the date that shows the lesion.
        lesion: its number in the result.
    """
    content = study.content
    component = study.find_component(lesion)
    index = sample_mask(content.predicted.numbers[component.box] == lesion)
    index = index + [side.start for side in component.box]
    tissue = sample_parenchyma(content.liver, content.predicted.numbers, content.spacing)
    inside, around = (to_mm(content.affine, part.T.astype(float)) for part in (index, tissue))
    contrasts = {}
    for phase in content.phases:
        part = read_phase_crop(study.scans.read(phase), study.id, np.concatenate([inside, around], axis=1))
        values, liver = (hu[np.isfinite(hu)] for hu in (sample_hu(part, inside), sample_hu(part, around)))
        contrasts[phase] = float(values.mean() - np.median(liver)) if len(values) and len(liver) else math.nan
    return contrasts


def list_showing_phases(study: Study, lesion: int, visible_hu: float) -> list[str]:
    """List the phases that show a lesion: those in which it differs from the liver by at least `visible_hu`.

    All phases of the date are listed where no image can be read, or where no phase shows it.
    """
    contrasts = measure_contrast(study, lesion)
    showing = [phase for phase, contrast in contrasts.items() if abs(contrast) >= visible_hu]
    return showing or list(study.content.result["phases_used"])


def lacks_phases(study: Study, other: Study, lesion: int, visible_hu: float) -> bool:
    """Check whether a date has none of the phases that show a lesion of another date.

    Args:
        study: the date that does not show the lesion.
        other: the date that shows it.
        lesion: its number there.
        visible_hu: see `list_showing_phases`.
    """
    present: Sequence[str] = study.content.result["phases_used"]
    needed: Sequence[str] = other.content.result["phases_used"]
    if set(needed) <= set(present):
        return False
    if not other.content.phases:
        return True
    return not set(list_showing_phases(other, lesion, visible_hu)) & set(present)
