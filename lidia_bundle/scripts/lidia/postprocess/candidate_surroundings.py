"""Reject lesion candidates outside the liver by the tissue that surrounds them.

The liver region includes the lesions, so a candidate outside the liver that touches the liver always lies
inside the region. The tissue around a candidate is an independent criterion: most of a shell around a lesion
is liver, most of a shell around a rib, a bowel loop or a piece of the stomach is not. This filter is ours,
neither the paper's nor PLAN's.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import SMALLEST_MM3, as_array, is_smaller, join_components, measure_components
from scripts.lidia.postprocess.liver_region import dilate
from scripts.lidia.vocabulary import BACKGROUND, FIRST_LESION, LIVER


class FilteredCandidates(NamedTuple):
    """The class map after candidates outside the liver were rejected."""

    classes: NDArray[np.uint8]
    """`(X, Y, Z)`; voxels of rejected candidates are background."""
    rejected: NDArray[np.bool_]
    """`(X, Y, Z)` mask of the rejected candidates."""
    volumes_mm3: list[float]
    """Volumes of the rejected candidates of at least `smallest_mm3`."""


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

    Candidates that touch one another are evaluated as one component, whatever their types, because a necrotic
    centre has no liver around it. The shell around a component contains no voxel of any candidate and ends at
    the sides of the volume. A component is kept if

    - at least `liver_share` of its shell is liver, or its shell is empty;
    - without a liver mask of the user: its contact with the liver is wide, as in a large exophytic lesion, or
      it is larger than all liver voxels together, as in a liver full of lesions;
    - with a liver mask of the user: at least `given_share` of its voxels lie in the mask.

    Args:
        classes: `(X, Y, Z)` classes of the voxels.
        spacing: mm per voxel along X, Y, Z.
        user_liver: `(X, Y, Z)` liver mask of the user; it replaces class 1.
        shell_mm: thickness of the shell; at least one voxel along each axis.
        liver_share: minimum share of liver in the shell, 0..1; 0 keeps all candidates.
        attached_cm2: minimum contact area of the second rule: volume of liver in the shell over `shell_mm`.
        given_share: minimum share of the third rule.
        smallest_mm3: minimum volume of a rejected candidate that is counted.
    """
    candidates = classes >= FIRST_LESION
    rejected = np.zeros_like(candidates)
    if liver_share <= 0.0 or not candidates.any():
        return FilteredCandidates(classes, rejected, [])
    liver = classes == LIVER if user_liver is None else as_array(user_liver) > 0
    # Slices may be thicker than the shell: it is at least one voxel wide.
    steps = [min(step, shell_mm) for step in spacing]
    attached_voxels = attached_cm2 * 100 * shell_mm / prod(spacing)
    labels, liver_voxels = join_components(candidates), np.count_nonzero(liver)
    volumes = []
    for component in measure_components(labels, spacing):
        box = tuple(
            slice(max(side.start - pad, 0), side.stop + pad)
            for side, pad in zip(component.box, (int(shell_mm // step) + 1 for step in steps), strict=True)
        )
        mask = labels[box] == component.instance
        shell = dilate(mask, steps, shell_mm) & ~candidates[box]
        liver_in_shell = np.count_nonzero(shell & liver[box])
        if user_liver is None:
            exempt = liver_in_shell >= attached_voxels or component.voxels >= liver_voxels
        else:
            exempt = np.count_nonzero(mask & liver[box]) >= given_share * component.voxels
        if not exempt and liver_in_shell < liver_share * np.count_nonzero(shell):
            rejected[box] |= mask
            if not is_smaller(component.volume_mm3, smallest_mm3):
                volumes.append(component.volume_mm3)
    return FilteredCandidates(np.where(rejected, np.uint8(BACKGROUND), classes), rejected, volumes)
