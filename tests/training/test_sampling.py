from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import Dataset
from monai.transforms import Compose, RandGaussianNoised

from scripts.lidia.training.curriculum import Curriculum
from scripts.lidia.training.optimizer import warm_up_then_decay, weight_groups
from scripts.lidia.training.sampling import CaseBatchSampler, ReadCases, SeedEpochs


def test_no_case_comes_twice_before_all_came_once() -> None:
    batches = CaseBatchSampler(data=range(7), steps=3, size=2, seed=3)
    stream: list[int] = []
    for epoch in range(1, 8):
        batches.epoch = epoch
        samples = list(batches)
        assert [len(batch) for batch in samples] == [2] * len(batches) == [2, 2, 2]
        stream += [case for batch in samples for case in batch]
    laps = [stream[start : start + 7] for start in range(0, 42, 7)]
    assert all(sorted(lap) == list(range(7)) for lap in laps)
    assert len({tuple(lap) for lap in laps}) > 1


def test_ranks_share_every_batch() -> None:
    complete = list(CaseBatchSampler(data=range(8), steps=2, size=4, seed=1))
    parts = [
        list(CaseBatchSampler(data=range(8), steps=2, size=2, seed=1, rank=rank, world_size=2))
        for rank in (0, 1)
    ]
    assert complete == [parts[0][step] + parts[1][step] for step in (0, 1)]


def test_an_empty_training_section_is_refused() -> None:
    batches = CaseBatchSampler(data=[], steps=1, size=1)
    with pytest.raises(ValueError, match="training section"):
        next(iter(batches))
    with pytest.raises(ValueError, match="training section"):
        ReadCases(batches=batches, validation=[])(SimpleNamespace())


def test_an_epoch_s_random_numbers_depend_on_seed_and_epoch_alone() -> None:
    def draws(epoch: int, spent: int) -> list[float]:
        data = Dataset([{"image": torch.zeros(1, 2, 2, 2)}], Compose([RandGaussianNoised("image", prob=1.0)]))
        batches = CaseBatchSampler(data=data, steps=1, size=1)
        torch.rand(spent)
        SeedEpochs(data=data, batches=batches, seed=5)(SimpleNamespace(state=SimpleNamespace(epoch=epoch)))
        assert batches.epoch == epoch
        return [float(torch.rand(())), float(np.random.rand()), float(data[0]["image"].sum())]

    assert draws(3, spent=0) == draws(3, spent=17)
    assert all(a != b for a, b in zip(draws(3, 0), draws(4, 0), strict=True))


PLAN = {
    "full": {"start": 0.6, "crop": [48, 48, 48], "cases": 2, "samples": 2},
    "semantic": {"start": 0.0, "decoding": False, "crop": [32, 32, 32], "cases": 4},
    "queries": {"start": 0.3, "decoding": True},
    "none": None,
}


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (1, (False, (32, 32, 32), 4, 1)),
        (3, (False, (32, 32, 32), 4, 1)),
        (4, (True, (32, 32, 32), 4, 1)),
        (7, (True, (48, 48, 48), 2, 2)),
        (10, (True, (48, 48, 48), 2, 2)),
    ],
)
def test_stages_follow_from_the_epoch(epoch: int, expected: tuple[object, ...]) -> None:
    network, crop = SimpleNamespace(decoding=True), SimpleNamespace(size=(8, 8, 8), samples=1)
    batches = SimpleNamespace(size=9)
    stages = Curriculum(network=network, crop=crop, batches=batches, stages=PLAN)
    logger = SimpleNamespace(info=str)
    stages(SimpleNamespace(state=SimpleNamespace(epoch=epoch, max_epochs=10), logger=logger))
    assert (network.decoding, crop.size, batches.size, crop.samples) == expected


@pytest.mark.parametrize(
    ("stages", "fault"),
    [
        ({}, r"\[\]"),
        ({"a": {"start": 0.1}}, r"\[0\.1\]"),
        ({"a": {"start": 0}, "b": {"start": 0}}, r"\[0\.0, 0\.0\]"),
        ({"a": {"start": 0, "size": 3}}, "not size"),
        ({"a": {"start": 0}, "b": {}}, r"\[-1\.0, 0\.0\]"),
        ({"a": {"start": 0}, "b": {"start": 1.0}}, r"\[0\.0, 1\.0\]"),
        ([{"start": 0}], "^train#stages is a list"),
    ],
)
def test_invalid_stages_are_refused_by_their_starts_or_keys(stages: Any, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Curriculum(network=SimpleNamespace(), crop=None, batches=None, stages=stages)


def test_learning_rate() -> None:
    cosine = warm_up_then_decay(steps=1000, warm_up=100, min_lr_factor=0.02)
    assert cosine(0) == pytest.approx(1 / 101)
    assert cosine(100) == pytest.approx(1.0)
    assert cosine(550) == pytest.approx(0.51)
    assert cosine(1000) == cosine(2000) == pytest.approx(0.02)
    poly = warm_up_then_decay(steps=100, warm_up=0, power=0.9)
    assert poly(50) == pytest.approx(0.5**0.9)
    assert poly(100) == 0.0
    short = warm_up_then_decay(steps=20, warm_up=200)
    assert short(2) == pytest.approx(1.0), "a short training does not spend itself on the warm-up"


def test_a_resumed_schedule_follows_the_new_length() -> None:
    def scheduler(steps: int) -> torch.optim.lr_scheduler.LambdaLR:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        return torch.optim.lr_scheduler.LambdaLR(optimizer, warm_up_then_decay(steps=steps, warm_up=0))

    old, new = scheduler(100), scheduler(200)
    old.optimizer.step()
    old.step()
    new.load_state_dict(old.state_dict())
    new.optimizer.step()
    new.step()
    assert new.get_last_lr() == [pytest.approx(warm_up_then_decay(steps=200, warm_up=0)(2))]


def test_only_matrices_decay() -> None:
    network = torch.nn.Sequential(torch.nn.Conv3d(2, 3, 1), torch.nn.GroupNorm(1, 3))
    matrices, others = weight_groups(network=network, weight_decay=0.1)
    assert [p.dim() for p in matrices["params"]] == [5]
    assert matrices["weight_decay"] == 0.1
    assert len(others["params"]) == 3
    assert others["weight_decay"] == 0.0
