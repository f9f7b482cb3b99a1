"""Small CT volumes on disk for tests: a body with a round liver about the origin of space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

LIVER_MM = 45.0
BODY_MM = 60.0


def affine_of(
    spacing: Sequence[float], shape: Sequence[int], flips: Sequence[int] = (1, 1, 1), turn: float = 0.0
) -> np.ndarray:
    """An affine whose grid is centred on the origin; `turn` is a rotation about the long axis in radians."""
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag(np.asarray(spacing) * np.asarray(flips))
    affine[:3, 3] = -affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return affine


def radius(affine: np.ndarray, shape: Sequence[int], centre: Sequence[float] = (0, 0, 0)) -> np.ndarray:
    """Distance of every voxel from a place in RAS mm."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"))
    place = np.einsum("ij,jxyz->ixyz", affine[:3, :3], index) + affine[:3, 3, None, None, None]
    return np.linalg.norm(place - np.asarray(centre)[:, None, None, None], axis=0)


def save(path: Path, voxels: np.ndarray, affine: np.ndarray) -> str:
    """Writes a NIfTI file as a scanner's converter would: both forms coded as scanner space."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    nib.save(image, path)
    return str(path)


def write_ct(
    path: Path,
    shape: Sequence[int] = (40, 40, 30),
    spacing: Sequence[float] = (3.5, 3.5, 5.0),
    flips: Sequence[int] = (1, 1, 1),
    turn: float = 0.0,
    liver_hu: float = 60.0,
    seed: int = 0,
) -> tuple[str, np.ndarray]:
    """Writes a volume: a liver in fat in air, some noise. Returns its path and affine."""
    affine = affine_of(spacing, shape, flips, turn)
    far = radius(affine, shape)
    voxels = np.where(far < LIVER_MM, liver_hu, np.where(far < BODY_MM, -100.0, -1000.0))
    voxels = voxels + np.random.default_rng(seed).normal(0, 5, shape)
    return save(path, voxels.astype(np.int16), affine), affine


def write_label(
    path: Path,
    affine: np.ndarray,
    shape: Sequence[int],
    lesions: Sequence[tuple[int, Sequence[float], float]] = ((2, (10, 10, 0), 12.0),),
    liver: bool = True,
) -> str:
    """Writes a label map: the liver and balls, each (class, centre in RAS mm, radius in mm)."""
    classes = (radius(affine, shape) < LIVER_MM).astype(np.uint8) * liver
    for kind, centre, size in lesions:
        classes[radius(affine, shape, centre) < size] = kind
    return save(path, classes, affine)
