"""Add faint lesions as candidates, so that an operating point can report them.

A faint lesion is a component of voxels with a moderate lesion probability, none of which reaches the
threshold of a lesion voxel. Lesions above it keep their outlines. This step is ours; the paper has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.components import join_components
from scripts.lidia.postprocess.class_map import classify_voxels
from scripts.lidia.vocabulary import FIRST_LESION


def add_faint_candidates(
    classes: NDArray[np.uint8], maps: NDArray[Any], faint_threshold: float
) -> NDArray[np.uint8]:
    """Add components above `faint_threshold` that contain no lesion voxel.

    Args:
        classes: `(X, Y, Z)` classes of the voxels, see `classify_voxels`.
        maps: `(C, X, Y, Z)` class map.
        faint_threshold: lesion probability, summed over the types, above which a voxel belongs to a faint
            lesion.

    Returns:
        `(X, Y, Z)` classes; the input itself if there is no faint lesion.
    """
    with_faint = classify_voxels(maps, faint_threshold)
    labels = join_components(with_faint >= FIRST_LESION)
    has_lesion = np.zeros(int(labels.max(initial=0)) + 1, bool)
    has_lesion[labels[classes >= FIRST_LESION]] = True
    is_faint = ~has_lesion
    is_faint[0] = False
    return np.where(is_faint[labels], with_faint, classes) if is_faint.any() else classes
