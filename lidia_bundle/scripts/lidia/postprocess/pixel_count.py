"""Compute the pixel count, a baseline patient score (Zhu et al. 2019, [24] of LIDIA).

    score_c = volume of class c after post-processing, mm3

There is no threshold, since an area under the curve needs none. Its weakness motivates LiverMax: a lesion
without a lesion voxel, or one that post-processing removes, does not change the score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from scripts.lidia.components import as_array
from scripts.lidia.postprocess.livermax import GROUPS
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION, LESION_TYPES


def compute_pixel_count(
    classes: ArrayLike, spacing: Sequence[float], *, groups: Mapping[str, Sequence[int]] = GROUPS
) -> dict[str, float]:
    """Compute patient scores: the volume in mm3 of each lesion type and group.

    Args:
        classes: `(X, Y, Z)` lesion classes after post-processing, 0 elsewhere.
        spacing: mm per voxel along X, Y, Z.
        groups: classes by name of a group score, which is their total volume.

    Returns:
        Volume by lesion type, then by group, in mm3.

    Raises:
        ValueError: the volume does not have three axes.
    """
    values = as_array(classes)
    counts = np.bincount(values[values >= FIRST_LESION].astype(np.int64), minlength=len(CLASSES))
    volumes = counts * float(np.prod(np.asarray(spacing, dtype=np.float64)))
    scores = {name: float(volumes[index]) for index, name in enumerate(LESION_TYPES, FIRST_LESION)}
    scores.update({name: float(volumes[list(members)].sum()) for name, members in groups.items()})
    return scores
