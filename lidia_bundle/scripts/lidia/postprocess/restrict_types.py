"""Restrict the class map to the lesion types that can occur, e.g. the four types that a hospital labels.

    S'[c] = S[c] / Σ_k S[k]   over background, liver and the selected types;   S'[c] = 0 for all others

A network's probability of a type that its training data lacked carries no information, and it lowers the
probabilities of the other classes. This step is ours, neither the paper's nor PLAN's.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from scripts.lidia.vocabulary import BACKGROUND, CLASSES, FIRST_LESION, LESION_TYPES


def check_types(types: Sequence[str]) -> tuple[str, ...]:
    """Check names of lesion types and sort them in the order of the vocabulary.

    Raises:
        ValueError: the list is empty, or a name is not a lesion type.
    """
    unknown = [types] if isinstance(types, str) else sorted(set(types) - set(LESION_TYPES))
    if unknown or not types:
        raise ValueError(f"types {list(unknown or types)}: give one or more of {', '.join(LESION_TYPES)}.")
    return tuple(name for name in LESION_TYPES if name in types)


def restrict_to_types(probabilities: Tensor, types: Sequence[str]) -> Tensor:
    """Set all other lesion types to 0 and renormalise the remaining classes.

    Args:
        probabilities: (C, X, Y, Z) of one patient; channels after the classes are not changed.
        types: result of `check_types`.

    Returns:
        A new tensor; a voxel whose remaining probabilities are all 0 becomes background.
    """
    maps = probabilities.clone()
    maps[[channel for channel in range(FIRST_LESION, len(CLASSES)) if CLASSES[channel] not in types]] = 0.0
    classes = maps[: len(CLASSES)]
    remaining = classes.sum(dim=0)
    classes /= remaining.clamp(min=1e-6)
    classes[BACKGROUND] += remaining < 1e-6
    return maps
