"""Compute patient scores from the network's patient branch (PLAN, Yan et al. 2023).

    score_c = mean over predicted lesion voxels v of b[c](v)

b[c]  the branch's probability of c, painted on all voxels of the window that it looked at; windows are
    blended like the class map.

Where no lesion is predicted every score is 0. The painted channels follow the classes in what the inferer
returns, in the order of BRANCH_SCORES; networks without a branch have none.
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
"""Painted channels in their order, and the classes that each of them asks for."""


def split_branch(prediction: Any) -> tuple[Any, Any]:
    """Class map and painted scores of one patient.

    Args:
        prediction: `(C, X, Y, Z)`, or `(C + len(BRANCH_SCORES), X, Y, Z)` of a network with a branch.

    Returns:
        `(C, X, Y, Z)`, and `(len(BRANCH_SCORES), X, Y, Z)` or None; anything else comes back as it is.
    """
    if len(prediction) != len(CLASSES) + len(BRANCH_SCORES):
        return prediction, None
    return prediction[: len(CLASSES)], prediction[len(CLASSES) :]


def branch_scores(painted: ArrayLike, lesions: ArrayLike) -> dict[str, float]:
    """Patient scores by the names of BRANCH_SCORES, each in 0..1.

    Args:
        painted: `(len(BRANCH_SCORES), X, Y, Z)`.
        lesions: `(X, Y, Z)` mask of the predicted lesions after post-processing.

    Raises:
        ValueError: the shapes do not fit, or a score is not finite.
    """
    if isinstance(painted, torch.Tensor):
        painted = painted.detach().cpu().as_subclass(torch.Tensor).float().numpy()
    maps: NDArray[Any] = np.asarray(painted)
    inside = np.asarray(lesions) > 0
    if maps.shape != (len(BRANCH_SCORES), *inside.shape):
        raise ValueError(
            f"The branch's scores have shape {maps.shape}, the lesions {inside.shape}: "
            f"{len(BRANCH_SCORES)} channels on the lesions' grid are wanted."
        )
    if not inside.any():
        return dict.fromkeys(BRANCH_SCORES, 0.0)
    means = maps[:, inside].mean(axis=1, dtype=np.float64)
    if not np.isfinite(means).all():
        raise ValueError("The scores of the patient branch are not finite.")
    # Resampling to the native grid rounds: a probability of 1 may come back a hair above.
    return {name: float(np.clip(mean, 0, 1)) for name, mean in zip(BRANCH_SCORES, means, strict=True)}
