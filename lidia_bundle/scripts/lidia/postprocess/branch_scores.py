"""Compute patient scores from the network's patient branch (PLAN, Yan et al. 2023).

    score_c = mean over predicted lesion voxels v of b[c](v)

b[c]  the branch's probability of c, constant over all voxels of a window; windows are blended like the class
    map.

If no lesion is predicted, every score is 0. In the inferer's output the score channels follow the class
channels, in the order of BRANCH_SCORES; networks without a branch have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.postprocess.livermax import GROUPS
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION, LESION_TYPES

BRANCH_SCORES: Mapping[str, Sequence[int]] = MappingProxyType({
    **{name: (kind,) for kind, name in enumerate(LESION_TYPES, FIRST_LESION)},
    **GROUPS,
})
"""Score channels in their order, and the classes of each."""


def split_branch(prediction: Any) -> tuple[Any, Any]:
    """Split a prediction into class map and score maps of the patient branch.

    Args:
        prediction: `(C, X, Y, Z)`, or `(C + len(BRANCH_SCORES), X, Y, Z)` for a network with a branch.

    Returns:
        Class map `(C, X, Y, Z)`; score maps `(len(BRANCH_SCORES), X, Y, Z)` or None. An input with another
        number of channels is returned unchanged.
    """
    if len(prediction) != len(CLASSES) + len(BRANCH_SCORES):
        return prediction, None
    return prediction[: len(CLASSES)], prediction[len(CLASSES) :]


def compute_branch_scores(score_maps: ArrayLike, lesions: ArrayLike) -> dict[str, float]:
    """Compute patient scores in 0..1 by the names of BRANCH_SCORES.

    Args:
        score_maps: `(len(BRANCH_SCORES), X, Y, Z)`.
        lesions: `(X, Y, Z)` mask of the predicted lesions after post-processing.

    Raises:
        ValueError: the shapes differ, or a score is not finite.
    """
    if isinstance(score_maps, torch.Tensor):
        score_maps = score_maps.detach().cpu().as_subclass(torch.Tensor).float().numpy()
    maps: NDArray[Any] = np.asarray(score_maps)
    inside = np.asarray(lesions) > 0
    if maps.shape != (len(BRANCH_SCORES), *inside.shape):
        raise ValueError(
            f"The branch's scores have shape {maps.shape}, the lesions {inside.shape}: "
            f"{len(BRANCH_SCORES)} channels on the grid of the lesions are required."
        )
    if not inside.any():
        return dict.fromkeys(BRANCH_SCORES, 0.0)
    means = maps[:, inside].mean(axis=1, dtype=np.float64)
    if not np.isfinite(means).all():
        raise ValueError("The scores of the patient branch are not finite.")
    # Resampling to the native grid rounds: a probability of 1 may become slightly larger than 1.
    return {name: float(np.clip(mean, 0, 1)) for name, mean in zip(BRANCH_SCORES, means, strict=True)}
