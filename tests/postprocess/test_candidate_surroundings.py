"""Candidates are kept or rejected by the liver around them: counted by hand on cubes."""

from __future__ import annotations

import numpy as np
import pytest
from postprocess.class_maps import AFFINE, SPACING, liver, one_hot

from scripts.lidia.postprocess.candidate_surroundings import reject_outside_liver
from scripts.lidia.postprocess.diagnosis import diagnose
from scripts.lidia.vocabulary import CYST, LIVER

CUBE = 6**3 * 8.0
"""mm3 of a cube of six voxels of 2 mm."""


def cube(low: int, classes: np.ndarray | None = None, kind: int = 4, high: int | None = None) -> np.ndarray:
    """A candidate of 6 x 6 voxels that runs from `low` along the first axis; the liver ends at 24.

    A shell of 2 mm around a cube of six voxels, without edges and corners, has six sides of 36 voxels.
    """
    classes = liver() if classes is None else classes
    classes[low : low + 6 if high is None else high, 6:12, 6:12] = kind
    return classes


def outside(classes: np.ndarray, **choices: object) -> list[float]:
    return reject_outside_liver(classes, SPACING, **{"shell_mm": 2.0, **choices}).volumes_mm3  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "share"),
    [
        (12, 0.999),  # inside
        (18, 180 / 216),  # one side lies on the liver's surface
        (21, (36 + 4 * 18) / 216),  # half outside
        (22, (36 + 4 * 12) / 216),
        (24, 36 / 180),  # outside, touching with one side; the last side is the volume's
    ],
)
def test_the_share_of_the_shell_that_is_liver_decides(low: int, share: float) -> None:
    assert outside(cube(low), liver_share=share) == []
    assert outside(cube(low), liver_share=share + 0.001) == ([CUBE] if share < 0.99 else [])


def test_a_shell_ends_at_the_volume_s_side() -> None:
    classes = cube(0, np.full((12, 18, 18), LIVER, np.uint8))
    assert outside(classes, liver_share=1.0) == [], "five sides of liver, the sixth is no part of the scan"
    assert outside(np.full((4, 4, 4), 3, np.uint8), liver_share=1.0) == [], "no shell"


def test_a_shell_is_a_voxel_wide_where_slices_are_thick() -> None:
    classes = cube(12)
    classes[:, :, 5], classes[:, :, 12] = 0, 0
    spacing = (2.0, 2.0, 8.0)
    chosen = {"shell_mm": 2.0, "attached_cm2": 1e9}
    assert reject_outside_liver(classes, spacing, liver_share=4 / 6, **chosen).volumes_mm3 == []
    assert reject_outside_liver(classes, spacing, liver_share=0.67, **chosen).volumes_mm3 == [4 * CUBE]


def test_touching_candidates_are_decided_as_one() -> None:
    nest = cube(12)
    nest[14:16, 8:10, 8:10] = CYST  # a necrotic centre: no liver around it
    assert outside(nest, liver_share=1.0) == []
    pair = cube(24, cube(18), kind=CYST)  # inside, and outside it: 5 of 9 sides, the tenth is the volume's
    assert outside(pair, liver_share=5 / 9) == []
    assert outside(pair, liver_share=0.56) == [2 * CUBE]


def test_a_large_lesion_that_grows_out_of_the_liver_is_kept() -> None:
    classes = np.zeros((60, 40, 40), np.uint8)
    classes[4:30, 4:36, 4:36] = LIVER
    classes[30:50, 10:30, 10:30] = 2  # 64 ml, attached by one side of 16 cm2: a sixth of its shell
    assert outside(classes) == []
    assert outside(classes, attached_cm2=16.1) == [20**3 * 8.0]
    small = np.where(classes == 2, np.uint8(0), classes)
    small[30:36, 10:16, 10:16] = 2
    assert outside(small) == [CUBE], "attached by 1.4 cm2"


def test_a_liver_full_of_lesions_stays_one() -> None:
    classes = np.zeros((40, 40, 40), np.uint8)
    classes[4:34, 4:34, 4:34] = 4
    classes[4:6, 4:34, 4:34] = LIVER
    assert outside(classes, attached_cm2=1e9) == [], "larger than all that is liver"
    diagnosis = diagnose(one_hot(classes), SPACING, AFFINE)
    assert diagnosis.liver.sum() == 30**3 and len(diagnosis.records) == 1


def test_a_given_liver_is_what_counts() -> None:
    inputs = liver() > 0
    inside, out = cube(12, np.zeros_like(liver())), cube(24)
    assert outside(inside, user_liver=inputs) == []
    assert outside(out, user_liver=inputs) == [CUBE], "though the map calls what is around it what it may"
    assert outside(out, user_liver=inputs, attached_cm2=0.0) == [CUBE], "a drawn liver ends where it ends"
    part = cube(23)
    assert outside(part, user_liver=inputs) == [], "a sixth of it lies in the mask"
    assert outside(part, user_liver=inputs, given_share=0.2) == [CUBE]


def test_a_candidate_outside_is_neither_lesion_nor_liver_nor_score() -> None:
    classes = cube(24, cube(12, kind=2))
    maps = one_hot(classes)
    maps[4, 24:30, 6:12, 6:12] = 0.95
    diagnosis = diagnose(maps, SPACING, AFFINE)
    assert [record["type"] for record in diagnosis.records] == ["HCC"]
    assert (
        not diagnosis.liver[24:].any()
        and not diagnosis.classes[24:].any()
        and not diagnosis.instances[24:].any()
    )
    assert diagnosis.livermax["metastasis"] == pytest.approx(0.02), "not read from what was left out"
    assert diagnosis.left_out == {"doubtful": 0, "outside_liver": 1, "small": 0}
    assert len(diagnosis.warnings) == 1 and "1.7 ml" in diagnosis.warnings[0]
    remaining = diagnose(maps, SPACING, AFFINE, liver_share=0.0)
    assert len(remaining.records) == 2 and remaining.livermax["metastasis"] == pytest.approx(0.95)
    assert remaining.warnings == [] and remaining.left_out["outside_liver"] == 0


def test_left_out_candidates_are_counted_by_reason() -> None:
    classes = cube(12)
    classes[6:8, 6, 6] = 5  # 16 mm3
    classes[6:9, 12:15, 8:11] = 3  # hardly likelier than liver
    maps = one_hot(classes)
    maps[3, 6:9, 12:15, 8:11], maps[1, 6:9, 12:15, 8:11] = 0.5, 0.34
    diagnosis = diagnose(maps, SPACING, AFFINE, min_existence=0.7)
    assert diagnosis.left_out == {"doubtful": 1, "outside_liver": 0, "small": 1}
    assert diagnosis.warnings == [] and len(diagnosis.records) == 1
