"""Restrict the class map to the lesion types that can occur, e.g. the four types that a hospital labels.

    S'[c] = S[c] / Σ_k S[k]   over background, liver and the types asked for;   S'[c] = 0 for all others

What a network says of a type that it never saw in training is no answer, and neither is the share of a voxel
that it gives away to it. Ours, neither the paper's nor PLAN's.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from scripts.lidia.vocabulary import BACKGROUND, CLASSES, FIRST_LESION, LESION_TYPES


def check_types(types: Sequence[str]) -> tuple[str, ...]:
    """Names of lesion types in the order of the vocabulary.

    Raises:
        ValueError: there are none, or one is no lesion type.
    """
    unknown = [types] if isinstance(types, str) else sorted(set(types) - set(LESION_TYPES))
    if unknown or not types:
        raise ValueError(f"types {list(unknown or types)}: list some of {', '.join(LESION_TYPES)}.")
    return tuple(name for name in LESION_TYPES if name in types)


def restrict_to_types(probabilities: Tensor, types: Sequence[str]) -> Tensor:
    """Gives the share of all other lesion types to the classes that are left, in proportion.

    Args:
        probabilities: (C, X, Y, Z) of one patient; channels behind the classes stay as they are.
        types: of `check_types`.

    Returns:
        A new tensor; a voxel that nothing is left of is background.
    """
    maps = probabilities.clone()
    maps[[at for at in range(FIRST_LESION, len(CLASSES)) if CLASSES[at] not in types]] = 0.0
    classes = maps[: len(CLASSES)]
    left = classes.sum(dim=0)
    classes /= left.clamp(min=1e-6)
    classes[BACKGROUND] += left < 1e-6
    return maps
