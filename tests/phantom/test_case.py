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
def case_of_looks() -> Case:
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


def test_label_instances_and_liver_agree(case_of_looks: Case) -> None:
    assert case_of_looks.label.dtype == np.uint8 and case_of_looks.instances.dtype == np.uint16
    assert np.array_equal(case_of_looks.label > 0, case_of_looks.liver > 0)
    assert np.array_equal(case_of_looks.label > LIVER, case_of_looks.instances > 0)
    assert set(np.unique(case_of_looks.instances)) - {0} == {
        lesion["instance"] for lesion in case_of_looks.lesions
    }
    for lesion in case_of_looks.lesions:
        assert set(np.unique(case_of_looks.label[case_of_looks.instances == lesion["instance"]])) == {
            CLASSES.index(lesion["type"])
        }
    liver = (case_of_looks.liver > 0).sum() * np.prod(COARSE) / 1000
    assert 600 < liver < 2500, "mL"


def test_sides_are_given_for_others_alone(case_of_looks: Case) -> None:
    others = {
        str(lesion["instance"]) for lesion in case_of_looks.lesions if lesion["type"] == CLASSES[OTHERS]
    }
    assert others and set(case_of_looks.malignant) == others
    assert not any(case_of_looks.malignant.values()), "a teratoma is benign"
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


def test_rendered_lesions_have_the_attributes_of_their_type(case_of_looks: Case) -> None:
    hcc = {phase: core(case_of_looks, "HCC_typical", phase) for phase in PHASES}
    assert hcc["arterial"][0] > hcc["arterial"][1] + 5
    assert hcc["delayed"][0] < hcc["delayed"][1] - 2, "capsule and mosaic blur the washout of the body"
    fnh = {phase: core(case_of_looks, "FNH", phase) for phase in PHASES}
    assert fnh["arterial"][0] > fnh["arterial"][1] + 10
    assert abs(fnh["venous"][0] - fnh["venous"][1]) < 12
    cyst = [core(case_of_looks, "cyst", phase)[0] for phase in PHASES]
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
def test_breathing_displaces_by_its_stated_distance(mode: str, least: float, most: float) -> None:
    shifted = []
    for number in range(3):
        case = sample_case(2, number, breathing=mode, spacing=(8, 8, 8), fov=(340, 250, 120))
        assert case.moved.pop("venous") == 0
        shifted += case.moved.values()
    assert least < np.max(shifted) < most
    assert len(set(shifted)) == len(shifted)


@pytest.mark.parametrize("wrong", [{"cohort": "lunar"}, {"breathing": "held"}])
def test_unknown_words_are_named(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong.values()))):
        sample_case(0, 0, **wrong)
