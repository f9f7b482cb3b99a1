"""Measures a predicted liver mask, so that a gate can refuse it without a reference mask.

Lengths are in mm, volumes in ml, densities in HU. Shape and HU are measured on the network's grid, on which
every scan has the same voxels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from scripts.lidia.components import find_bounding_box, join_components
from scripts.lidia.inference.liver_segmenter import SegmentedLiver

Mask = NDArray[np.bool_]
DEPTH_MM = 5.0
"""Depth below the surface from which HU are read: partial volume and the edge of the mask are left out."""
SMOOTH_MM = 4.0
"""Standard deviation of the Gaussian that removes noise and vessels before the spread is measured."""
UNLIKE_HU = 30.0
"""Difference from the median beyond which smoothed tissue counts as unlike parenchyma."""
AXES = ("right_left", "front_back", "height")


def measure_mask(segmented: SegmentedLiver) -> dict[str, Any]:
    """Measures the quantities that the gate judges.

    Args:
        segmented: the liver of one scan.

    Returns:
        `volume_ml`; `largest_part` (share of all voxels called liver that are in the largest component);
        `holes` (share of the filled component that was a hole); `median_hu`, `spread_hu` and `unlike`, see
        `measure_hu`; `right_left_mm`, `front_back_mm`, `height_mm` (sides of the box); `sphericity`;
        `flat_side_cm2`, see `measure_flat_side`; `agreement` (Dice of the two passes); `reached_ends`.
        Numbers that an empty mask does not have are None.
    """
    spacing = np.linalg.norm(segmented.affine[:3, :3], axis=0)
    voxel_ml = float(abs(np.linalg.det(segmented.native_affine[:3, :3]))) / 1000
    region = segmented.region
    box = find_bounding_box(region)
    quantities: dict[str, Any] = {
        "volume_ml": float(np.count_nonzero(segmented.native)) * voxel_ml,
        "largest_part": None,
        "holes": None,
        "median_hu": None,
        "spread_hu": None,
        "unlike": None,
        **{f"{axis}_mm": None for axis in AXES},
        "sphericity": None,
        "flat_side_cm2": None,
        "agreement": compute_dice(region, segmented.mirrored_region),
        "reached_ends": list(segmented.reached_ends),
    }
    if box is None:
        return quantities
    sizes = np.bincount(join_components(segmented.classified).ravel())[1:]
    lengths = [(side.stop - side.start) * step for side, step in zip(box, spacing.tolist(), strict=True)]
    unfilled = np.count_nonzero(region & segmented.classified)
    return {
        **quantities,
        "largest_part": float(sizes.max() / sizes.sum()),
        "holes": 1 - unfilled / float(np.count_nonzero(region)),
        **measure_hu(segmented.hu, region, spacing.tolist()),
        **{f"{axis}_mm": length for axis, length in zip(AXES, lengths, strict=True)},
        "sphericity": measure_sphericity(region, spacing.tolist()),
        "flat_side_cm2": measure_flat_side(region, spacing.tolist()),
    }


def compute_dice(first: Mask, second: Mask) -> float:
    """Computes the Dice coefficient of two masks; 0 if both are empty."""
    total = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * np.count_nonzero(first & second) / total if total else 0.0


def measure_hu(hu: NDArray[np.floating], mask: Mask, spacing: Sequence[float]) -> dict[str, float | None]:
    """Measures the HU of a mask's interior, smoothed within the mask.

    Args:
        hu: `(X, Y, Z)`.
        mask: `(X, Y, Z)`.
        spacing: mm per voxel along X, Y, Z.

    Returns:
        `median_hu`; `spread_hu`, half the distance of the 16th and 84th percentiles (the standard deviation
        of a normal distribution); `unlike`, the share that differs from the median by more than `UNLIKE_HU`.
        Lesions, vessels and other organs inside the mask raise the last two.
    """
    box = find_bounding_box(mask)
    if box is None:
        return {"median_hu": None, "spread_hu": None, "unlike": None}
    inside = np.pad(mask[box], 1)
    values = np.pad(hu[box], 1).astype(np.float64)
    deep = distance_transform_edt(inside, sampling=spacing) > DEPTH_MM
    if not deep.any():
        deep = inside
    sigma = [SMOOTH_MM / step for step in spacing]
    weight = gaussian_filter(inside.astype(np.float64), sigma)
    smoothed = gaussian_filter(np.where(inside, values, 0.0), sigma)[deep] / weight[deep]
    low, median, high = np.percentile(smoothed, (16, 50, 84))
    unlike = float(np.mean(np.abs(smoothed - median) > UNLIKE_HU))
    return {"median_hu": float(median), "spread_hu": float(high - low) / 2, "unlike": unlike}


def measure_sphericity(mask: Mask, spacing: Sequence[float]) -> float:
    """Computes the surface of a ball of the mask's volume divided by the mask's surface; 1 for a ball.

    The surface is the number of faces between inside and outside, weighted by their area and divided by 1.5,
    the mean over all directions of the area of such a staircase. A side where the scan ends counts.

    Args:
        mask: `(X, Y, Z)`, not empty.
        spacing: mm per voxel along X, Y, Z.
    """
    padded = np.pad(mask, 1)
    voxel = float(np.prod(spacing))
    faces = sum(np.count_nonzero(np.diff(padded, axis=axis)) * voxel / spacing[axis] for axis in range(3))
    volume = np.count_nonzero(mask) * voxel
    return float(np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / (faces / 1.5))


def measure_flat_side(mask: Mask, spacing: Sequence[float]) -> float:
    """Measures the largest area (cm2) that a mask loses from one voxel to the next, inside the scan.

    A plane through the middle of a liver has 100 cm2 and more. Whole livers have 20 to 45 cm2 on a grid of
    2.5 mm, at the abdominal wall or the dome. Sides of the scan do not count: a scan may cut the liver.

    Args:
        mask: `(X, Y, Z)`.
        spacing: mm per voxel along X, Y, Z.
    """
    areas = [0.0]
    for axis in range(3):
        layers = np.moveaxis(mask, axis, 0)
        area_cm2 = float(np.prod(spacing)) / spacing[axis] / 100
        for lost in (layers[:-1] & ~layers[1:], layers[1:] & ~layers[:-1]):
            areas.append(float(lost.sum(axis=(1, 2)).max(initial=0)) * area_cm2)
    return max(areas)
