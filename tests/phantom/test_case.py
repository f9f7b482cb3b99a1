from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from scripts.lidia.phantom.case import Case, sample_case
from scripts.lidia.vocabulary import CLASSES, LIVER, OTHERS, PHASES

COARSE = (4.0, 4.0, 5.0)
SHOWN = ["HCC_typical", "cyst", "FNH", "teratoma"]


@pytest.fixture(scope="module")
def shown() -> Case:
    """A patient with four given looks, without noise and motion worth speaking of."""
    return sample_case(3, 1, looks=SHOWN, spacing=COARSE, noise=False)


def test_every_phase_has_its_own_grid() -> None:
    for number in range(2):
        case = sample_case(1, number, fov=(340, 250, 100))
        affines = [volume.affine for volume in case.volumes.values()]
        assert all(not np.allclose(a, b) for a, b in combinations(affines, 2))
        assert len({volume.data.shape for volume in case.volumes.values()}) > 1
        assert np.array_equal(case.affine, case.volumes["venous"].affine)
        assert case.label.shape == case.volumes["venous"].data.shape
        assert {volume.data.dtype for volume in case.volumes.values()} == {np.dtype(np.int16)}


def test_label_instances_and_liver_agree(shown: Case) -> None:
    assert shown.label.dtype == np.uint8 and shown.instances.dtype == np.uint16
    assert np.array_equal(shown.label > 0, shown.liver > 0)
    assert np.array_equal(shown.label > LIVER, shown.instances > 0)
    assert set(np.unique(shown.instances)) - {0} == {lesion["instance"] for lesion in shown.lesions}
    for lesion in shown.lesions:
        assert set(np.unique(shown.label[shown.instances == lesion["instance"]])) == {
            CLASSES.index(lesion["type"])
        }
    liver = (shown.liver > 0).sum() * np.prod(COARSE) / 1000
    assert 600 < liver < 2500, "mL"


def test_sides_are_given_for_others_alone(shown: Case) -> None:
    others = {str(lesion["instance"]) for lesion in shown.lesions if lesion["type"] == CLASSES[OTHERS]}
    assert others and set(shown.malignant) == others
    assert not any(shown.malignant.values()), "a teratoma is benign"
    unknown = sample_case(3, 1, looks=["mucinous_cystic"], spacing=COARSE, noise=False)
    assert unknown.lesions and unknown.malignant == {}


def core(case: Case, look: str, phase: str) -> tuple[float, float]:
    """(median HU of a lesion, of the liver) in a phase, read through the affines."""
    number = next(lesion["instance"] for lesion in case.lesions if lesion["look"] == look)
    volume = case.volumes[phase]
    to_voxel = np.linalg.inv(volume.affine) @ case.affine
    values = []
    for mask in (case.instances == number, case.label == LIVER):
        at = np.argwhere(mask) @ to_voxel[:3, :3].T + to_voxel[:3, 3]
        values.append(float(np.median(map_coordinates(volume.data.astype(float), at.T, order=1))))
    return values[0], values[1]


def test_the_rendered_lesions_show_their_habits(shown: Case) -> None:
    hcc = {phase: core(shown, "HCC_typical", phase) for phase in PHASES}
    assert hcc["arterial"][0] > hcc["arterial"][1] + 5
    assert hcc["delayed"][0] < hcc["delayed"][1] - 2, "capsule and mosaic blur the washout of the body"
    fnh = {phase: core(shown, "FNH", phase) for phase in PHASES}
    assert fnh["arterial"][0] > fnh["arterial"][1] + 10
    assert abs(fnh["venous"][0] - fnh["venous"][1]) < 12
    cyst = [core(shown, "cyst", phase)[0] for phase in PHASES]
    assert np.ptp(cyst) < 30 and max(cyst) < 45, "partial volume alone moves a small cyst"


def test_the_same_seed_draws_the_same_voxels() -> None:
    first, again, other = (sample_case(5, number, spacing=COARSE) for number in (2, 2, 3))
    for phase, volume in first.volumes.items():
        assert np.array_equal(volume.data, again.volumes[phase].data)
    assert np.array_equal(first.instances, again.instances)
    assert first.affine.tolist() != other.affine.tolist()


def test_the_external_scanner_is_another() -> None:
    inside, outside = (sample_case(5, 0, cohort, fov=(340, 250, 60)) for cohort in ("internal", "external"))
    assert inside.affine[0, 0] > 0 > outside.affine[0, 0], "another orientation on disk"
    assert abs(outside.affine[0, 0]) > inside.affine[0, 0], "larger pixels"


@pytest.mark.parametrize(("mode", "least", "most"), [("residual", 0.3, 3.001), ("raw", 3.0, 20.001)])
def test_breathing_moves_by_what_it_says(mode: str, least: float, most: float) -> None:
    moved = []
    for number in range(3):
        case = sample_case(2, number, breathing=mode, spacing=(8, 8, 8), fov=(340, 250, 120))
        assert case.moved.pop("venous") == 0
        moved += case.moved.values()
    assert least < np.max(moved) < most
    assert len(set(moved)) == len(moved)


@pytest.mark.parametrize("wrong", [{"cohort": "lunar"}, {"breathing": "held"}])
def test_unknown_words_are_named(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong.values()))):
        sample_case(0, 0, **wrong)
