"""A mirrored or turned header contradicts the positions of spine, liver and lungs."""

from __future__ import annotations

import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from scripts.lidia.inference.header_contradictions import check_header_orientation
from scripts.lidia.morphometry.orientation_signs import measure_orientation_signs
from scripts.lidia.vocabulary import PHASES

STEP, WINDOW, SHAPE = (4.0, 4.0, 4.0), (-200.0, 400.0), (90, 66, 60)


def body() -> tuple[np.ndarray, np.ndarray]:
    """HU and liver in RAS order: an oval of 320 x 224 mm, spine behind, liver right, lungs above."""
    x, y, z = np.meshgrid(*[(np.arange(n) - (n - 1) / 2) * 4.0 for n in SHAPE], indexing="ij")
    hu = np.where((x / 160) ** 2 + (y / 112) ** 2 < 1, 40.0, -200.0)
    hu[x**2 + (y + 72) ** 2 < 16**2] = 400
    for side in (-1, 1):
        hu[((x - side * 80) / 48) ** 2 + (y / 60) ** 2 < np.where(z > 60, 1, 0)] = -200
    liver = ((x - 70) / 60) ** 2 + (y / 50) ** 2 + (z / 50) ** 2 < 1
    return hu, liver


def test_directions_of_a_known_body() -> None:
    hu, liver = body()
    result = measure_orientation_signs(hu, liver, STEP)
    assert result.thickness == pytest.approx(1, abs=0.2), "both halves of this body are as thick"
    assert result.spine == pytest.approx((112 - 72) / 224, abs=0.03)
    assert result.liver_mm == pytest.approx(70, abs=3)
    assert result.lungs == pytest.approx(np.pi * 4.8 * 6.0, rel=0.1)  # the area of one ellipse, cm2
    nothing = measure_orientation_signs(np.full(SHAPE, -200.0), liver, STEP)
    assert nothing == (None, None, None, None)
    assert measure_orientation_signs(np.minimum(hu, 100), None, STEP)[:2] == (None, None)


def contradictions(
    hu: np.ndarray, liver: np.ndarray, axes: tuple[int, ...], step: tuple[float, ...] = STEP
) -> list[str]:
    image = np.full((len(PHASES), *hu.shape), np.nan, np.float32)
    image[1] = np.clip((hu + 200) / 300 - 1, -1, 1)
    flipped = np.flip(image, [axis + 1 for axis in axes]), np.flip(liver, axes)
    return check_header_orientation(*flipped, WINDOW, step)


WORDS = ("the liver lies on the left", "the spine lies in front", "the lungs lie below")
FLIPS = [axes for count in range(4) for axes in itertools.combinations(range(3), count)]


@pytest.mark.parametrize("axes", FLIPS, ids=str)
def test_each_contradiction_is_named(axes: tuple[int, ...]) -> None:
    text = " ".join(contradictions(*body(), axes))
    assert [phrase in text for phrase in WORDS] == [axis in axes for axis in range(3)]
    assert ("turned" in text) == (len(axes) == 2) and ("mirrored" in text) == (len(axes) % 2 == 1)


def test_a_small_body_or_none_gives_no_contradiction() -> None:
    hu, liver = body()
    assert contradictions(np.full(SHAPE, -200.0), liver, (0,)) == []
    assert contradictions(np.clip(hu, -200, 200)[:, :, :35], np.zeros_like(liver)[:, :, :35], (0, 1, 2)) == []


@pytest.mark.real
def test_real_scans_are_contradicted_when_they_are_flipped_alone(real_ct: Path) -> None:
    files = sorted(path for path in (real_ct / "real_ct").glob("*/*.nii.gz") if "_" not in path.stem)
    for path in files[::3]:
        scan, mask = nib.load(path), path.parent / f"liver_{path.name}"
        turns = nib.io_orientation(scan.affine)
        step = tuple(np.array(scan.header.get_zooms())[np.argsort(turns[:, 0])] * 1.0)
        hu, liver = (
            ndimage.zoom(
                nib.apply_orientation(np.asarray(nib.load(file).dataobj, np.float32), turns),
                np.array(step) / 4.0,
                order=0,
            )
            for file in (path, mask)
        )
        assert contradictions(hu, liver > 0, ()) == [], path
        for axes in FLIPS[1:]:
            assert contradictions(hu, liver > 0, axes) or path.parent.name == "tcga_bc10x", (path, axes)
