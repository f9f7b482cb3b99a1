"""Reject lesion candidates outside the liver by the tissue that surrounds them.

The liver region holds the lesions, so a candidate outside the liver that touches it always lies inside the
region. What surrounds a candidate does not depend on the candidate: of a shell around a lesion most is liver,
of a shell around a rib, a bowel loop or a piece of the stomach most is not. Ours, neither the paper's nor
PLAN's.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import SMALLEST_MM3, as_array, component_stats, is_smaller, join_components
from scripts.lidia.postprocess.liver_region import dilate
from scripts.lidia.vocabulary import BACKGROUND, FIRST_LESION, LIVER


class FilteredCandidates(NamedTuple):
    """Classes without the candidates that lie outside the liver."""

    classes: NDArray[np.uint8]
    """`(X, Y, Z)`; voxels of rejected candidates are background."""
    rejected: NDArray[np.bool_]
    """`(X, Y, Z)` voxels of rejected candidates."""
    volumes_mm3: list[float]
    """Of the rejected candidates that are large enough for a lesion."""


def reject_outside_liver(
    classes: NDArray[np.uint8],
    spacing: Sequence[float],
    *,
    user_liver: ArrayLike | None = None,
    shell_mm: float = 3.0,
    liver_share: float = 0.5,
    attached_cm2: float = 10.0,
    given_share: float = 0.1,
    smallest_mm3: float = SMALLEST_MM3,
) -> FilteredCandidates:
    """Reject candidates that are not sufficiently surrounded by liver.

    Candidates that touch one another are judged as one, whatever their types: a necrotic centre has no liver
    around it. The shell around them holds no candidate's voxels, and ends at the volume's sides. Kept is what

    - has enough liver in its shell, or no shell;
    - is attached to the liver by a wide area, as a large lesion that grows out of the liver is, or is larger
      than all liver voxels together, as in a liver that is full of lesions;
    - with a liver mask of the user, instead of the last: lies in the mask with a part of its voxels.

    Args:
        classes: `(X, Y, Z)` arg-max of the class map.
        spacing: mm a voxel along X, Y, Z.
        user_liver: `(X, Y, Z)` liver mask of the user, in place of class 1.
        shell_mm: thickness of the shell, which is a voxel along each axis at least.
        liver_share: share of the shell that has to be liver, 0..1; 0 keeps all candidates.
        attached_cm2: volume of the liver in the shell over its thickness from which on a candidate is kept.
        given_share: share of a candidate in the user's mask from which on it is kept.
        smallest_mm3: volume from which on a rejected candidate is counted.
    """
    candidates = classes >= FIRST_LESION
    rejected = np.zeros_like(candidates)
    if liver_share <= 0.0 or not candidates.any():
        return FilteredCandidates(classes, rejected, [])
    liver = classes == LIVER if user_liver is None else as_array(user_liver) > 0
    # a shell is a voxel wide at least: slices may be thicker than it
    steps = [min(step, shell_mm) for step in spacing]
    enough = attached_cm2 * 100 * shell_mm / prod(spacing)
    parts, most = join_components(candidates), np.count_nonzero(liver)
    volumes = []
    for part in component_stats(parts, spacing):
        box = tuple(
            slice(max(side.start - by, 0), side.stop + by)
            for side, by in zip(part.box, (int(shell_mm // step) + 1 for step in steps), strict=True)
        )
        mask = parts[box] == part.instance
        shell = dilate(mask, steps, shell_mm) & ~candidates[box]
        around = np.count_nonzero(shell & liver[box])
        if user_liver is None:
            kept = around >= enough or part.voxels >= most
        else:
            kept = np.count_nonzero(mask & liver[box]) >= given_share * part.voxels
        if not kept and around < liver_share * np.count_nonzero(shell):
            rejected[box] |= mask
            if not is_smaller(part.volume_mm3, smallest_mm3):
                volumes.append(part.volume_mm3)
    return FilteredCandidates(np.where(rejected, np.uint8(BACKGROUND), classes), rejected, volumes)
