"""The slice is at the same position of the patient, on any grid of a phase."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from scripts.lidia.report.slice_choice import AIR, choose_slices, find_box, sample_plane


def ramp(path: Path, affine: np.ndarray, shape: tuple[int, int, int]) -> str:
    """A volume whose HU is its own place: 10 x + 2 y + z in RAS mm."""
    voxels = np.stack([*np.indices(shape), np.ones(shape)]).reshape(4, -1)
    values = np.array([10, 2, 1, 0]) @ (affine @ voxels)
    nib.save(nib.Nifti1Image(values.reshape(shape).astype(np.float32), affine), path)
    return str(path)


GRID = np.array([[1.5, 0, 0, -15], [0, 1.5, 0, -12], [0, 0, 4, -10], [0, 0, 0, 1.0]])


@pytest.fixture
def phases(tmp_path: Path) -> dict[str, str]:
    venous = np.array([[-1.5, 0, 0, 28.5], [0, -1.5, 0, 22.5], [0, 0, 4, -10], [0, 0, 0, 1.0]])
    arterial = np.array([[0, 0, 3, -40], [2, 0, 0, -30], [0, 2, 0, -20], [0, 0, 0, 1.0]])
    return {
        "venous": ramp(tmp_path / "v.nii.gz", venous, (30, 24, 8)),
        "arterial": ramp(tmp_path / "a.nii.gz", arterial, (40, 40, 40)),
    }


def test_every_phase_shows_the_same_place(phases: dict[str, str]) -> None:
    plane = sample_plane(phases, GRID, 3, (slice(2, 20), slice(5, 24)))
    assert plane.phases["nc"] is None and plane.phases["delayed"] is None
    assert plane.phases["venous"].shape == (18, 19)
    np.testing.assert_allclose(plane.phases["arterial"], plane.phases["venous"], atol=1e-2)
    assert plane.spacing == pytest.approx((1.5, 1.5))


def test_x_runs_to_the_right_and_y_to_the_front(phases: dict[str, str]) -> None:
    image = sample_plane(phases, GRID, 3, (slice(0, 30), slice(0, 24))).phases["venous"]
    assert np.all(np.diff(image, axis=0) > 0) and np.all(np.diff(image, axis=1) > 0)


def test_outside_a_phase_is_air(phases: dict[str, str], tmp_path: Path) -> None:
    far = np.diag([5.0, 5, 5, 1])
    far[:3, 3] = 500
    phases["delayed"] = ramp(tmp_path / "d.nii.gz", far, (8, 8, 8))
    assert np.all(sample_plane(phases, GRID, 0, (slice(0, 9), slice(0, 9))).phases["delayed"] == AIR)


def test_the_widest_slice_of_the_largest_lesion_comes_first() -> None:
    labels = np.zeros((10, 10, 9), int)
    labels[1:3, 1:3, 1] = 1
    labels[5:9, 5:9, 6:8] = 2
    labels[4:10, 4:10, 7] = 2
    assert choose_slices(labels, 2) == [7, 1]
    assert choose_slices(labels, 1) == [7]
    assert choose_slices(np.zeros((2, 2, 9), int), 1) == [4]


def test_a_box_has_its_margin_and_stays_inside() -> None:
    mask = np.zeros((100, 40, 3), bool)
    mask[50:60, 2:20] = True
    assert find_box(mask, (2.0, 1.0, 1.0), margin=10.0) == (slice(45, 65), slice(0, 30))
    assert find_box(np.zeros_like(mask), (2.0, 1.0, 1.0)) == (slice(0, 100), slice(0, 40))
