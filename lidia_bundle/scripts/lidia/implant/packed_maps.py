"""Stores the maps of a background as small integers, so that a crop of them is read and unpacked quickly.

The packed form is a dictionary of tensors and numbers that `torch.load(weights_only=True)` reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from scripts.lidia.implant.segment_tissues import Levels
from scripts.lidia.implant.tissue_maps import ScanMaps, TissueMaps
from scripts.lidia.phantom.shapes import Box, Field
from scripts.lidia.vocabulary import PHASES

HU_STEP = 0.125
"""HU per unit of a stored intensity (int16, -4096 to 4096 HU)."""
SHARE_STEP = 1 / 255
UNEVEN_STEP = 0.5

Packed = dict[str, Any]


def pack_maps(maps: TissueMaps, liver: NDArray[np.bool_], ignored: NDArray[np.bool_]) -> Packed:
    """Packs the maps of a background.

    Args:
        maps: the maps, on the network's grid.
        liver: (X, Y, Z).
        ignored: (X, Y, Z) lesions that the patient has; they are neither taught as liver nor as lesion.
    """
    scans = {}
    for phase, scan in maps.scans.items():
        scans[phase] = {
            "hu": _quantize(scan.hu, HU_STEP, torch.int16),
            "clean": _quantize(scan.clean, HU_STEP, torch.int16),
            "noise_share": _quantize(scan.noise_share, SHARE_STEP, torch.uint8),
            "uneven": _quantize(scan.uneven, UNEVEN_STEP, torch.int8),
            "noise_tile": torch.as_tensor(scan.noise_tile),
            "level": float(scan.level),
            "noise_level": float(scan.noise_level),
        }
    return {
        "reference": maps.reference,
        "scans": scans,
        "names": list(maps.names),
        "shares": _quantize(maps.shares, SHARE_STEP, torch.uint8),
        "measured": torch.as_tensor(maps.measured),
        "levels": [float(value) for value in maps.levels],
        "liver": _quantize(liver, SHARE_STEP, torch.uint8),
        "ignored": torch.as_tensor(ignored),
    }


def unpack_maps(packed: Mapping[str, Any], box: Box, phases: Sequence[str] = PHASES) -> TissueMaps:
    """Unpacks what some phases need of a box of the maps, to float32.

    Args:
        packed: the packed maps.
        box: box of their voxels.
        phases: phases that are to be made.

    Returns:
        The maps; without tissues if all of the phases were scanned.
    """
    reference = packed["reference"]
    all_scanned = all(phase in packed["scans"] for phase in phases)
    scans = {}
    for phase, scan in packed["scans"].items():
        if phase not in phases and (all_scanned or phase != reference):
            continue
        scans[phase] = ScanMaps(
            _restore(scan["hu"][box], HU_STEP),
            _restore(scan["clean"][box], HU_STEP),
            _restore(scan["noise_share"][box], SHARE_STEP),
            _restore(scan["uneven"][box], UNEVEN_STEP),
            scan["level"],
            scan["noise_level"],
            scan["noise_tile"].numpy(),
        )
    liver, blood, has_vessels, veins = packed["levels"]
    tissues = slice(0, 0) if all_scanned else slice(None)
    shares = _restore(packed["shares"][(tissues, *box)], SHARE_STEP)
    origin = (box[0].start, box[1].start, box[2].start)
    levels = Levels(liver, blood, bool(has_vessels), veins)
    names, measured = tuple(packed["names"]), packed["measured"].numpy()
    return TissueMaps(reference, scans, names, shares, levels, measured, origin)


def halve_maps(packed: Mapping[str, Any]) -> Packed:
    """Averages packed maps over blocks of 2 x 2 x 2 voxels, as the coarse pass of the inference does.

    An odd last voxel along an axis is left out.
    """
    scans = {}
    for phase, scan in packed["scans"].items():
        halved = {name: _halve(scan[name]) for name in ("hu", "clean", "noise_share", "uneven", "noise_tile")}
        scans[phase] = {**scan, **halved}
    return {
        **packed,
        "scans": scans,
        "shares": _halve(packed["shares"]),
        "liver": _halve(packed["liver"]),
        "ignored": _halve(packed["ignored"].to(torch.uint8) * 255) > 127,
    }


def _halve(volume: torch.Tensor) -> torch.Tensor:
    channels = volume.float().reshape(-1, 1, *volume.shape[-3:])
    mean = F.avg_pool3d(channels, 2)
    mean = mean.reshape(*volume.shape[:-3], *mean.shape[-3:])
    return mean if volume.is_floating_point() else mean.round().to(volume.dtype)


def _quantize(values: NDArray, step: float, dtype: torch.dtype) -> torch.Tensor:
    limits = torch.iinfo(dtype)
    scaled = torch.as_tensor(np.asarray(values, np.float32)) / step
    return scaled.round_().clamp_(limits.min, limits.max).to(dtype)


def _restore(values: torch.Tensor, step: float) -> Field:
    return values.to(torch.float32).mul_(step).numpy()
