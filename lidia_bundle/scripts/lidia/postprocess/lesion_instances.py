"""Extract lesion instances and their types from the class map, and remove small components.

Cysts form components of their own, since they may touch any other lesion. All other lesion voxels form
components regardless of type. Each component takes the type of most of its voxels, or with a calibration its
most probable type, and the class map is rewritten, so that map, instances and records agree. Components
smaller than 25 mm3, or with the centroid outside the liver region, are removed.
Source: the post-processing of the authors' earlier network, PLAN; the LIDIA paper does not describe it.
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
    compute_centroid_mm,
    find_axial_axis,
    is_smaller,
    join_components,
    measure_components,
)
from scripts.lidia.diameter import measure_diameter_mm
from scripts.lidia.postprocess.class_map import as_probabilities, classify_voxels
from scripts.lidia.postprocess.liver_region import compute_liver_region
from scripts.lidia.postprocess.type_scaling import TypeScaling, scale_types
from scripts.lidia.vocabulary import CLASSES, CYST, FIRST_LESION, LESION_TYPES


class Lesions(NamedTuple):
    """The lesions of a patient as class map, instance map and records."""

    classes: NDArray[np.uint8]
    """`(X, Y, Z)` lesion classes 2..9, 0 elsewhere (also in the liver)."""
    instances: NDArray[np.uint16]
    """`(X, Y, Z)` numbers 1..K from the largest lesion to the smallest, 0 elsewhere."""
    records: list[dict[str, Any]]
    """One record per lesion: instance, type, probabilities {type: p}, peak_probability (the largest sum over
    the types in a voxel), volume_mm3, diameter_mm, centroid_ras_mm."""
    small: int
    """Number of components removed because they are too small."""
    outside: int
    """Number of other components removed because their centroid lies outside the region."""


def extract_lesions(
    probabilities: ArrayLike,
    spacing: Sequence[float],
    affine: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    region: ArrayLike | None = None,
    smallest_mm3: float = SMALLEST_MM3,
    type_scaling: TypeScaling | None = None,
) -> Lesions:
    """Extract the lesions of a class map.

    The type probabilities of a lesion are the means of the class map over its voxels. Without a scaling its
    type is that of most of its voxels; if two types have equally many, the type with the larger mean wins.
    With a scaling its type is the one with the largest scaled mean.

    Args:
        probabilities: `(C, X, Y, Z)`, classes in the order of the vocabulary.
        spacing: mm per voxel along X, Y, Z.
        affine: `(4, 4)` from voxel indices to RAS mm.
        classes: `(X, Y, Z)` classes of the voxels; by default those of `classify_voxels`.
        region: `(X, Y, Z)` mask that must contain a lesion's centroid; by default the liver plus 3 mm.
        smallest_mm3: minimum volume of a lesion.
        type_scaling: calibration of the type probabilities, see `scale_types`.

    Raises:
        ValueError: the shapes do not fit, or the class map is not finite.
    """
    maps = as_probabilities(probabilities)
    voxel_classes = classify_voxels(maps) if classes is None else as_array(classes)
    inside = compute_liver_region(voxel_classes, spacing) if region is None else np.asarray(region) > 0
    if inside.shape != voxel_classes.shape:
        raise ValueError(f"The liver region has shape {inside.shape}, the class map {voxel_classes.shape}.")
    components = []
    for mask in ((voxel_classes >= FIRST_LESION) & (voxel_classes != CYST), voxel_classes == CYST):
        labels = join_components(mask)
        components += [(component, labels) for component in measure_components(labels, spacing)]
    large = [
        (component, labels)
        for component, labels in components
        if not is_smaller(component.volume_mm3, smallest_mm3)
    ]
    selected = [
        (component, labels)
        for component, labels in large
        if inside[_find_centre_voxel(component, inside.shape)]
    ]
    selected.sort(key=_order_by_size)
    lesion_classes = np.zeros(voxel_classes.shape, np.uint8)
    instances = np.zeros(voxel_classes.shape, np.uint16)
    axial = find_axial_axis(affine)
    records = []
    for number, (component, labels) in enumerate(selected, 1):
        mask = labels[component.box] == component.instance
        lesion_maps = maps[(slice(FIRST_LESION, len(CLASSES)), *component.box)]
        lesion_voxels = lesion_maps[:, mask]
        means = lesion_voxels.mean(axis=1, dtype=np.float64)
        if type_scaling is None:
            votes = np.bincount(voxel_classes[component.box][mask], minlength=len(CLASSES))[FIRST_LESION:]
            winner = int(np.argmax(votes + 0.5 * means))
        else:
            means = scale_types(means, type_scaling)
            winner = int(np.argmax(means))
        lesion_classes[component.box][mask] = winner + FIRST_LESION
        instances[component.box][mask] = number
        records.append({
            "instance": number,
            "type": LESION_TYPES[winner],
            "probabilities": {name: float(mean) for name, mean in zip(LESION_TYPES, means, strict=True)},
            "peak_probability": min(float(lesion_voxels.sum(axis=0).max()), 1.0),
            "volume_mm3": component.volume_mm3,
            "diameter_mm": measure_diameter_mm(mask, spacing, axial),
            "centroid_ras_mm": list(compute_centroid_mm(component, affine)),
        })
    return Lesions(
        lesion_classes, instances, records, len(components) - len(large), len(large) - len(selected)
    )


def select_lesions(lesions: Lesions, is_kept: Sequence[bool]) -> Lesions:
    """Keep some lesions and number them anew; the order stays.

    Args:
        lesions: all lesions.
        is_kept: one value per record.
    """
    numbers = np.zeros(len(lesions.records) + 1, np.uint16)
    records: list[dict[str, Any]] = []
    for record, keep in zip(lesions.records, is_kept, strict=True):
        if keep:
            numbers[record["instance"]] = len(records) + 1
            records.append({**record, "instance": len(records) + 1})
    instances = numbers[lesions.instances]
    return lesions._replace(
        classes=np.where(instances > 0, lesions.classes, np.uint8(0)), instances=instances, records=records
    )


def _order_by_size(item: tuple[Component, NDArray[np.uint32]]) -> tuple[float, tuple[float, float, float]]:
    return (-item[0].volume_mm3, item[0].centre)


def _find_centre_voxel(component: Component, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(
        min(round(position), size - 1) for position, size in zip(component.centre, shape, strict=True)
    )
