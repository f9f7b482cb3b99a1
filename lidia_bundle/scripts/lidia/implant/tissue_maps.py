"""Maps of a background from which all phases are made, over its whole grid or over a crop of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.implant.segment_tissues import Levels
from scripts.lidia.phantom.patient import Patient
from scripts.lidia.phantom.shapes import Field
from scripts.lidia.phantom.tissues import NUMBER, ORGANS

VEINS = ("portal", "hepatic")
"""Tissues whose HU in the reference phase are those of the measured veins."""
EXISTING = (38, 52, 66, 66)
"""HU per phase of lesions that the background already has (metastasis, the most common type)."""


class ScanMaps(NamedTuple):
    """Maps of one scanned phase.

    Attributes:
        hu: (X, Y, Z) HU as scanned.
        clean: (X, Y, Z) denoised HU.
        noise_share: (X, Y, Z) share (0-1) of the noise that remains in `clean`.
        uneven: (X, Y, Z) HU by which the parenchyma around a voxel differs from `level`.
        level: HU of the parenchyma.
        noise_level: SD of the noise in HU.
        noise_tile: (N, N, N) periodic tile of such noise, of unit SD on the background's own grid.
    """

    hu: Field
    clean: Field
    noise_share: Field
    uneven: Field
    level: float
    noise_level: float
    noise_tile: Field


class TissueMaps(NamedTuple):
    """Maps of a background.

    Attributes:
        reference: phase from which the others are made.
        scans: maps of each scanned phase.
        names: names of the T tissues.
        shares: (T, X, Y, Z) share (0-1) of each tissue.
        levels: HU of parenchyma and blood in the reference phase.
        measured: (T,) HU of each tissue in the reference phase; NaN if it is not known.
        origin: voxel of the whole grid at which the maps start, so that a crop has the noise of the whole.
    """

    reference: str
    scans: dict[str, ScanMaps]
    names: tuple[str, ...]
    shares: NDArray
    levels: Levels
    measured: Field
    origin: tuple[int, int, int] = (0, 0, 0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along X, Y, Z."""
        x, y, z = self.shares.shape[1:]
        return x, y, z


class TissueHU(NamedTuple):
    """HU of a patient's tissues.

    Attributes:
        values: (T, 4) HU by tissue and phase, in the order of `TissueMaps.names`.
        liver: (4,) HU of the parenchyma by phase.
    """

    values: Field
    liver: Field


def collect_tissue_hu(patient: Patient, names: Sequence[str]) -> TissueHU:
    """Collects the HU of a patient's tissues."""
    values = [np.asarray(_get_tissue_hu(patient, name), np.float32) for name in names]
    return TissueHU(np.stack(values), np.asarray(patient.liver, np.float32))


def _get_tissue_hu(patient: Patient, name: str) -> NDArray:
    if name == "parenchyma":
        return patient.liver
    if name == "lesion":
        return np.asarray(EXISTING, np.float32)
    if name == "portal_trunk":
        return patient.vessels["portal"]
    if name in patient.vessels:
        return patient.vessels[name]
    if name == "kidney":
        # cortex and medulla are one tissue in the venous phase, but two in the arterial one
        return np.mean([ORGANS[part].hu for part in ("kidney_cortex", "kidney_medulla")], axis=0)
    return patient.organs[NUMBER[name]]
