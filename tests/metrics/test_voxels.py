"""Dice against MONAI and against counts by hand, with edge cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.metrics import DiceMetric
from monai.networks.utils import one_hot

from scripts.lidia.metrics.dice import compute_dice
from scripts.lidia.vocabulary import LESION_TYPES


def random_classes(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 10, (8, 7, 6))


def test_every_dice_agrees_with_monai() -> None:
    predicted, truth = random_classes(1), random_classes(2)

    def monai_dice(entry: np.ndarray, other: np.ndarray, classes: int) -> list[float]:
        pair = [one_hot(torch.from_numpy(a)[None, None].float(), classes) for a in (entry, other)]
        return DiceMetric(reduction="none")(*pair)[0].tolist()

    mine = compute_dice(predicted, truth)
    assert [mine[name] for name in LESION_TYPES] == pytest.approx(monai_dice(predicted, truth, 10)[2:])
    assert mine["lesions"] == pytest.approx(monai_dice(1 * (predicted > 1), 1 * (truth > 1), 2)[1])
    assert mine["liver"] == pytest.approx(monai_dice(1 * (predicted > 0), 1 * (truth > 0), 2)[1])


def test_ignored_voxels_leave_lesions_but_not_the_liver() -> None:
    truth = np.array([2, 2, 3, 1, 0, 1]).reshape(6, 1, 1)
    predicted = np.array([2, 1, 2, 1, 2, 0]).reshape(6, 1, 1)
    mask = np.array([0, 0, 1, 0, 0, 0]).reshape(6, 1, 1)
    mine = compute_dice(predicted, truth, mask)
    assert mine["lesions"] == pytest.approx(2 * 1 / (2 + 2))
    assert mine["HCC"] == pytest.approx(0.5) and math.isnan(mine["ICC"])
    assert mine["liver"] == pytest.approx(2 * 4 / (5 + 5))
    assert compute_dice(predicted, truth)["lesions"] == pytest.approx(2 * 2 / (3 + 3))


def test_empty_sides() -> None:
    nothing, liver = np.zeros((3, 3, 3), int), np.ones((3, 3, 3), int)
    both = compute_dice(nothing, nothing)
    assert all(math.isnan(value) for value in both.values())
    lesion = liver.copy()
    lesion[0] = 5
    assert compute_dice(liver, lesion)["lesions"] == compute_dice(lesion, liver)["hemangioma"] == 0
    assert compute_dice(nothing, liver)["liver"] == 0
    assert math.isnan(compute_dice(liver, nothing)["liver"]), "a label without liver says nothing of it"


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\(2, 2, 2\).*\(3, 2, 2\)"):
        compute_dice(np.zeros((2, 2, 2)), np.zeros((3, 2, 2)))
