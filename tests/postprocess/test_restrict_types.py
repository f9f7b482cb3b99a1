"""Excluded types have no probability; their share is distributed over the others."""

from __future__ import annotations

import pytest
import torch

from scripts.lidia.postprocess.restrict_types import check_types, restrict_to_types
from scripts.lidia.vocabulary import BACKGROUND, CLASSES, LESION_TYPES

FOUR = ("HCC", "metastasis", "hemangioma", "cyst")


def test_shares_of_others_are_given_away_in_proportion() -> None:
    maps = torch.rand(len(CLASSES), 3, 2, 2).softmax(dim=0)
    restricted = restrict_to_types(maps, FOUR)
    for name in CLASSES:
        at = CLASSES.index(name)
        assert bool((restricted[at] == 0).all()) == (name in LESION_TYPES and name not in FOUR)
    torch.testing.assert_close(restricted.sum(dim=0), torch.ones(3, 2, 2))
    hcc, cyst = CLASSES.index("HCC"), CLASSES.index("cyst")
    torch.testing.assert_close(restricted[hcc] / restricted[cyst], maps[hcc] / maps[cyst])
    assert not (maps == 0).any(), "the map itself stays"


def test_a_voxel_of_another_type_alone_is_background() -> None:
    maps = torch.zeros(len(CLASSES), 1, 1, 1)
    maps[CLASSES.index("ICC")] = 1.0
    restricted = restrict_to_types(maps, FOUR)
    assert restricted[BACKGROUND] == 1.0
    assert restricted.sum() == 1.0


def test_background_and_liver_keep_their_ratio_for_every_type() -> None:
    maps = torch.tensor([0.2, 0.3, 0.1, 0.05, 0.05, 0.06, 0.04, 0.03, 0.07, 0.1]).reshape(10, 1, 1, 1)
    result = restrict_to_types(maps, ("HCC",)).flatten()
    torch.testing.assert_close(result[:3], torch.tensor([0.2, 0.3, 0.1]) / 0.6)
    assert not result[3:].any()
    torch.testing.assert_close(restrict_to_types(maps, LESION_TYPES), maps)


def test_channels_of_a_branch_stay() -> None:
    maps = torch.rand(len(CLASSES) + 11, 2, 2, 2)
    torch.testing.assert_close(restrict_to_types(maps, FOUR)[len(CLASSES) :], maps[len(CLASSES) :])


@pytest.mark.parametrize("types", [["HCC", "tumour"], "HCC", []])
def test_unknown_types_are_refused(types: object) -> None:
    with pytest.raises(ValueError, match="HCC, ICC"):
        check_types(types)


def test_the_order_is_the_vocabulary_s() -> None:
    assert check_types(["cyst", "HCC"]) == ("HCC", "cyst")
