"""Crops composed during a training equal the stored cases of the same seed."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from scripts.lidia.implant.anatomy import Anatomy
from scripts.lidia.implant.compose_crop import compose_crop
from scripts.lidia.implant.implant_case import draw_implant, implant_case
from scripts.lidia.implant.lesion_patches import halve_implant, pack_implant
from scripts.lidia.implant.packed_maps import halve_maps, pack_maps
from scripts.lidia.phantom.case import Case
from scripts.lidia.vocabulary import IGNORED, PHASES

SEED, INDEX = 7, 1


@pytest.fixture(scope="module")
def stored(anatomy: Anatomy) -> Case:
    return implant_case(anatomy, SEED, INDEX)


@pytest.fixture(scope="module")
def ignored(anatomy: Anatomy) -> np.ndarray:
    mask = np.zeros_like(anatomy.source.liver)
    x, y, z = np.argwhere(anatomy.source.liver)[0]
    mask[x : x + 4, y : y + 4, z : z + 1] = True
    return mask


@pytest.fixture(scope="module")
def packed(anatomy: Anatomy, ignored: np.ndarray) -> tuple[dict, dict]:
    """Maps and implant after a way through a file that holds tensors alone."""
    stream = io.BytesIO()
    implant = pack_implant(anatomy, draw_implant(anatomy, SEED, INDEX))
    torch.save((pack_maps(anatomy.maps, anatomy.source.liver, ignored), implant), stream)
    stream.seek(0)
    return torch.load(stream, weights_only=True)  # noqa: TID251


def whole(anatomy: Anatomy) -> tuple[slice, slice, slice]:
    x, y, z = (slice(0, n) for n in anatomy.source.liver.shape)
    return x, y, z


def test_the_whole_case_equals_the_stored_one(
    anatomy: Anatomy, stored: Case, packed: tuple[dict, dict], ignored: np.ndarray
) -> None:
    image, label = compose_crop(*packed, whole(anatomy))
    to_file = anatomy.source.as_stored
    for number, phase in enumerate(PHASES):
        if phase in stored.volumes:
            difference = np.abs(to_file(image[number]) - stored.volumes[phase].data)
            assert difference.max() < 3 and difference.mean() < 0.5
    assert stored.lesions
    inside = ~to_file(ignored)
    assert np.array_equal(to_file(label[0])[inside], stored.label[inside])
    assert np.array_equal(to_file(label[1])[inside], stored.instances[inside])
    assert (label[0][ignored] == IGNORED).all() and not label[1][ignored].any()


def test_a_crop_equals_its_part_of_the_whole(anatomy: Anatomy, packed: tuple[dict, dict]) -> None:
    image, label = compose_crop(*packed, whole(anatomy))
    x, y, z = packed[1]["centres"][0, :3].tolist()
    box = (slice(x - 9, x + 20), slice(max(y - 21, 0), y + 4), slice(max(z - 3, 0), z + 2))
    crop, crop_label = compose_crop(*packed, box)
    np.testing.assert_allclose(crop, image[(slice(None), *box)], atol=1e-3)
    assert np.array_equal(crop_label, label[(slice(None), *box)])
    assert (crop_label[1] > 0).any()


def test_a_visit_without_lesions_has_none(anatomy: Anatomy, packed: tuple[dict, dict]) -> None:
    image, label = compose_crop(*packed, whole(anatomy), phases=["venous"], with_lesions=False)
    assert not label[1].any() and set(np.unique(label[0])) == {IGNORED, 0, 1}
    absent = [np.isnan(image[number]).all() for number in range(4)]
    assert absent == [True, True, False, True]
    np.testing.assert_allclose(image[2], anatomy.source.phases["venous"], atol=0.1)


def test_centres_lie_on_their_lesions(anatomy: Anatomy, packed: tuple[dict, dict]) -> None:
    _, label = compose_crop(*packed, whole(anatomy))
    x, y, z, kind, instance = packed[1]["centres"].numpy().T
    assert np.array_equal(label[0, x, y, z], kind) and np.array_equal(label[1, x, y, z], instance)


def test_half_resolution_is_the_mean_of_blocks(anatomy: Anatomy, packed: tuple[dict, dict]) -> None:
    """The reference phase alone: its noise at half resolution is the mean of the noise as well."""
    image, label = compose_crop(*packed, whole(anatomy), phases=["venous"])
    half = halve_maps(packed[0]), halve_implant(packed[1])
    shape = half[0]["liver"].shape
    coarse, coarse_label = compose_crop(*half, tuple(slice(0, n) for n in shape), phases=["venous"])
    expected = torch.nn.functional.avg_pool3d(torch.as_tensor(image[2])[None], 2)[0].numpy()
    difference = np.abs(coarse[2] - expected)
    assert np.median(difference) < 1 and np.quantile(difference, 0.999) < 25
    lesions = torch.nn.functional.avg_pool3d(torch.as_tensor(label[1] > 0).float()[None], 2)[0].numpy()
    assert np.array_equal(coarse_label[1] > 0, (lesions >= 0.5) & (coarse_label[0] != IGNORED))
