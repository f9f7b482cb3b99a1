"""Samples have the values at their positions, on any grid of a phase."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from scripts.lidia.data.phase_sampling import AIR, read_phase_crop, resample_hu, sample_hu
from scripts.lidia.geometry.grid import Grid

PLANE = np.array([1.5, 2.0, 1.0])
"""HU a mm along x, y, z."""
GRID = Grid(np.array([[1.5, 0, 0, -15], [0, 1.2, 0, -12], [0, 0, 4, -10], [0, 0, 0, 1.0]]), (20, 18, 6))


def turned(degrees: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    affine[:2, :2] = 2 * np.array([[c, -s], [s, c]])
    affine[:3, 3] = (-40, -40, -25)
    return affine


AFFINES = {
    "flipped": np.array([[-1.5, 0, 0, 28.5], [0, -1.5, 0, 28.5], [0, 0, 2, -16], [0, 0, 0, 1.0]]),
    "swapped": np.array([[0, 0, 3, -40], [2, 0, 0, -30], [0, 2, 0, -20], [0, 0, 0, 1.0]]),
    "turned": turned(7),
}


def written(path: Path, affine: np.ndarray, shape: tuple[int, int, int] = (40, 40, 40)) -> Path:
    """A phase whose HU tell their own place."""
    index = np.stack(np.indices(shape)).reshape(3, -1)
    values = PLANE @ (affine[:3, :3] @ index + affine[:3, 3:])
    nib.save(nib.Nifti1Image(values.reshape(shape).astype(np.float32), affine), path)
    return path


def truth(grid: Grid) -> np.ndarray:
    index = np.stack(np.indices(grid.shape)).reshape(3, -1)
    return (PLANE @ (grid.affine[:3, :3] @ index + grid.affine[:3, 3:])).reshape(grid.shape)


@pytest.mark.parametrize("name", AFFINES)
def test_a_grid_has_the_values_at_its_positions(name: str, tmp_path: Path) -> None:
    part = read_phase_crop(written(tmp_path / "p.nii.gz", AFFINES[name]), "P", GRID.corners())
    np.testing.assert_allclose(resample_hu(part, GRID), truth(GRID), atol=2e-2)
    np.testing.assert_allclose(sample_hu(part, GRID.corners()), PLANE @ GRID.corners(), atol=2e-2)


def test_only_the_box_is_kept(tmp_path: Path) -> None:
    part = read_phase_crop(written(tmp_path / "p.nii.gz", AFFINES["flipped"]), "P", GRID.corners())
    # x: 28.5 mm are 20 voxels; y: from 27 down to 13.4 are 15; z: from 3 to 13 are 11; each with one around
    assert part.voxels.shape == (20 + 2, 15 + 2, 11 + 2)


def test_beyond_the_scan_is_air_or_unknown(tmp_path: Path) -> None:
    path = written(tmp_path / "p.nii.gz", AFFINES["flipped"])
    far = Grid(GRID.affine + np.array([0, 0, 0, 1])[None] * np.array([500, 0, 0, 0])[:, None], (3, 3, 3))
    part = read_phase_crop(path, "P", far.corners())
    assert np.all(resample_hu(part, far) == AIR) and np.isnan(sample_hu(part, far.corners())).all()
    half = Grid(np.array([[1.5, 0, 0, 24], [0, 1.5, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1.0]]), (6, 2, 2))
    visible = resample_hu(read_phase_crop(path, "P", half.corners()), half)
    assert np.all(visible[:4] > AIR) and np.all(visible[4:] == AIR)


def test_what_is_not_finite_is_air(tmp_path: Path) -> None:
    volume = np.full((6, 6, 6), 50, np.float32)
    volume[2, 2, 2] = np.nan
    nib.save(nib.Nifti1Image(volume, np.eye(4)), tmp_path / "p.nii.gz")
    grid = Grid(np.eye(4), (6, 6, 6))
    visible = resample_hu(read_phase_crop(tmp_path / "p.nii.gz", "P", grid.corners()), grid)
    assert visible[2, 2, 2] == AIR and visible[3, 3, 3] == 50


def test_a_file_with_a_fourth_axis_of_one_is_a_volume(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.full((6, 6, 6, 1), 9, np.int16), np.eye(4)), tmp_path / "p.nii.gz")
    grid = Grid(np.eye(4), (6, 6, 6))
    assert np.all(resample_hu(read_phase_crop(tmp_path / "p.nii.gz", "P", grid.corners()), grid) == 9)
