"""Extract lesion instances and their types from the class map, and remove small components.

Cysts are components by themselves, since they may touch anything. All other lesion voxels form components
blind to their type; each takes the type of most of its voxels, and the class map is rewritten, so that map,
instances and records never disagree. What is smaller than 25 mm3, or has its centroid outside the liver
region, goes.
Source: the post-processing of the authors' earlier network, PLAN; LIDIA itself says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import (
    SMALLEST_MM3,
    Component,
    as_array,
    axial_axis,
    centroid_mm,
    component_stats,
    diameter_mm,
    is_smaller,
    join_components,
)
from scripts.lidia.postprocess.class_map import argmax_classes, as_probabilities
from scripts.lidia.postprocess.liver_region import liver_region
from scripts.lidia.vocabulary import CLASSES, CYST, FIRST_LESION, LESION_TYPES


class Lesions(NamedTuple):
    """The lesions of a patient as class map, instance map and records."""

    classes: NDArray[np.uint8]
    """`(X, Y, Z)` lesion classes 2..9, 0 elsewhere (also in the liver)."""
    instances: NDArray[np.uint16]
    """`(X, Y, Z)` numbers 1..K from the largest lesion to the smallest, 0 elsewhere."""
    records: list[dict[str, Any]]
    """One a lesion: instance, type, probabilities {type: p}, volume_mm3, diameter_mm, centroid_ras_mm."""
    small: int
    """Number of components that are too small."""
    outside: int
    """Number of the others whose centroid lies outside the region."""


def extract_lesions(
    probabilities: ArrayLike,
    spacing: Sequence[float],
    affine: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    region: ArrayLike | None = None,
    smallest_mm3: float = SMALLEST_MM3,
) -> Lesions:
    """Extract the lesions of a class map.

    A lesion's type probabilities are the means of the class map over its voxels; a tie of voxels between two
    types goes to the larger mean.

    Args:
        probabilities: `(C, X, Y, Z)`, classes in the order of the vocabulary.
        spacing: mm a voxel along X, Y, Z.
        affine: `(4, 4)` from voxel indices to RAS mm.
        classes: `(X, Y, Z)` classes that the voxels were given; by default the arg-max.
        region: `(X, Y, Z)` mask in which a lesion's centroid has to lie; by default the liver grown by 3 mm.
        smallest_mm3: volume from which on a component is a lesion.

    Raises:
        ValueError: the shapes do not fit, or the class map is not finite.
    """
    maps = as_probabilities(probabilities)
    voted = argmax_classes(maps) if classes is None else as_array(classes)
    inside = liver_region(voted, spacing) if region is None else np.asarray(region) > 0
    if inside.shape != voted.shape:
        raise ValueError(f"The liver region has shape {inside.shape}, the class map {voted.shape}.")
    components = []
    for mask in ((voted >= FIRST_LESION) & (voted != CYST), voted == CYST):
        parts = join_components(mask)
        components += [(part, parts) for part in component_stats(parts, spacing)]
    large = [(part, parts) for part, parts in components if not is_smaller(part.volume_mm3, smallest_mm3)]
    kept = [(part, parts) for part, parts in large if inside[_find_centre_voxel(part, inside.shape)]]
    kept.sort(key=_order_by_size)
    named = np.zeros(voted.shape, np.uint8)
    instances = np.zeros(voted.shape, np.uint16)
    axial = axial_axis(affine)
    records = []
    for number, (part, parts) in enumerate(kept, 1):
        mask = parts[part.box] == part.instance
        here = maps[(slice(FIRST_LESION, len(CLASSES)), *part.box)]
        means = here[:, mask].mean(axis=1, dtype=np.float64)
        votes = np.bincount(voted[part.box][mask], minlength=len(CLASSES))[FIRST_LESION:]
        winner = int(np.argmax(votes + 0.5 * means))
        named[part.box][mask] = winner + FIRST_LESION
        instances[part.box][mask] = number
        records.append({
            "instance": number,
            "type": LESION_TYPES[winner],
            "probabilities": {name: float(mean) for name, mean in zip(LESION_TYPES, means, strict=True)},
            "volume_mm3": part.volume_mm3,
            "diameter_mm": diameter_mm(mask, spacing, axial),
            "centroid_ras_mm": list(centroid_mm(part, affine)),
        })
    return Lesions(named, instances, records, len(components) - len(large), len(large) - len(kept))


def _order_by_size(item: tuple[Component, NDArray[np.uint32]]) -> tuple[float, tuple[float, float, float]]:
    return (-item[0].volume_mm3, item[0].centre)


def _find_centre_voxel(part: Component, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(min(round(at), size - 1) for at, size in zip(part.centre, shape, strict=True))
