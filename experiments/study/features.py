"""Extract features of lesions under their true masks from a written cohort, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, find_objects, map_coordinates

from scripts.lidia.metrics.lesion_matching import find_lesions
from scripts.lidia.metrics.patient_auc import sum_true_volumes
from scripts.lidia.vocabulary import LIVER, PHASES

RIM_MM = 3.0
"""Thickness of the rim: voxels nearer to the surface than this."""
AROUND_MM = 6.0
QUANTILES = (5, 25, 50, 75, 95)
LIVER_POINTS = 4000


class CaseFeatures(NamedTuple):
    """Lesions of one case.

    Attributes:
        case: its id.
        groups: (L,) class of each lesion.
        rich: (L, F) features, NaN where a phase is absent.
        plain: (L, 4) mean difference to the liver per phase in HU, NaN where absent.
        truth: volume in mm3 of each type and side, as the evaluation of a network counts it.
    """

    case: str
    groups: NDArray[np.int64]
    rich: NDArray[np.float64]
    plain: NDArray[np.float64]
    truth: Mapping[str, float] = MappingProxyType({})


def extract_features(item: dict[str, Any], folder: Path) -> CaseFeatures:
    """Extract the features of every lesion of a case of the datalist in `folder`."""
    label_image = nib.load(folder / item["label"])
    label = np.asarray(label_image.dataobj)
    instances = np.asarray(nib.load(folder / item["instances"]).dataobj)
    affine = label_image.affine
    spacing = np.abs(np.diag(affine))[:3]
    volumes = {}
    for phase, path in item["phases"].items():
        image = nib.load(folder / path)
        volumes[phase] = (np.asarray(image.dataobj), np.linalg.inv(image.affine) @ affine)
    at = np.argwhere(label == LIVER)
    at = at[:: max(1, len(at) // LIVER_POINTS)]
    liver = {phase: float(np.median(_sample_hu(volume, at))) for phase, volume in volumes.items()}

    groups, rich, plain = [], [], []
    for number, cut in enumerate(find_objects(instances.astype(np.int32)), start=1):
        if cut is None:
            continue
        reach = np.ceil((AROUND_MM + 1) / spacing).astype(int)
        low = np.maximum([c.start for c in cut] - reach, 0)
        high = np.minimum([c.stop for c in cut] + reach, instances.shape)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        inside = instances[box] == number
        depth = distance_transform_edt(np.pad(inside, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
        gap = distance_transform_edt(~inside, sampling=spacing)
        around = (gap > 1) & (gap < AROUND_MM) & (label[box] == LIVER)
        points, depths = np.argwhere(inside) + low, depth[inside]
        outer = np.argwhere(around) + low
        extent = (np.ptp(points, axis=0) + 1) * spacing
        volume = len(points) * float(np.prod(spacing))
        shape = [np.log(volume), volume / float(np.prod(extent)), extent.max() / extent.min(), depths.max()]
        row, means, cores = list(shape), [], []
        for phase in PHASES:
            features = (
                _describe_phase(volumes[phase], liver[phase], points, depths, outer)
                if phase in volumes
                else _ABSENT
            )
            row += features
            means.append(features[0])
            cores.append(features[1])
        for values in (means, cores):
            row += [values[b] - values[a] for a in range(4) for b in range(a + 1, 4)]
        row += [liver.get(phase, np.nan) for phase in PHASES]
        rich.append(row)
        plain.append(means)
        groups.append(int(np.bincount(label[box][inside]).argmax()))
    count = len(groups)
    counts = np.full((count, 1), float(count))
    table = np.array(rich, float).reshape(count, FEATURES - 1)
    return CaseFeatures(
        item["id"],
        np.array(groups, np.int64),
        np.hstack([table, counts]),
        np.array(plain, float).reshape(count, 4),
        sum_true_volumes(find_lesions(label, spacing.tolist(), instances).lesions, item.get("malignant")),
    )


_ABSENT = [np.nan] * (7 + len(QUANTILES))
FEATURES = 4 + len(PHASES) * len(_ABSENT) + 12 + len(PHASES) + 1
"""Shape, values per phase, differences between phases, liver values, number of lesions."""


def _describe_phase(
    volume: tuple[NDArray, NDArray], liver: float, points: NDArray, depths: NDArray, outer: NDArray
) -> list[float]:
    """Compute mean, core, rim, SD, quantiles, surroundings, core minus rim, in HU minus the liver."""
    values = _sample_hu(volume, points) - liver
    rim = depths <= max(RIM_MM, float(np.quantile(depths, 0.2)))
    core = depths >= min(float(np.quantile(depths, 0.75)), 2 * RIM_MM)
    inner, edge = float(values[core].mean()), float(values[rim].mean())
    beyond = float(_sample_hu(volume, outer).mean()) - liver if len(outer) else 0.0
    spread = float(values.std())
    core_spread = float(values[core].std())
    quantiles = [float(q) for q in np.percentile(values, QUANTILES)]
    return [float(values.mean()), inner, edge, spread, core_spread, *quantiles, beyond, inner - edge]


def _sample_hu(volume: tuple[NDArray, NDArray], points: NDArray) -> NDArray[np.float64]:
    """Sample HU of another phase at voxels (N, 3) of the label's grid."""
    data, to_voxel = volume
    at = points @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    return map_coordinates(data, at.T, output=np.float64, order=1, mode="nearest")
