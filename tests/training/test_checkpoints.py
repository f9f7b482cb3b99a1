from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from torch import nn

from scripts.lidia.runtime.weights import LoadWeights, WeightsError, load_weights, read_state
from scripts.lidia.training.checkpoints import LoadState, SaveBest, SaveState, collect_states
from scripts.lidia.training.ema import AverageWeights


def nothing(engine: Engine, batch: object) -> None:
    return None


def engine_with(network: nn.Module, folder: Path, epochs: int, **options: Any) -> Engine:
    """An engine that adds 1 to the weights at each of 3 steps an epoch, saves, and goes on where it was."""

    def step(engine: Engine, batch: int) -> None:
        with torch.no_grad():
            network.weight.add_(1.0)

    engine = Engine(step)
    engine.state.max_epochs, engine.state.epoch_length = epochs, 3
    LoadState(folder=str(folder), parts={"network": network}, **options).attach(engine)
    SaveState(folder=str(folder), parts={"network": network}).attach(engine)
    return engine


def trained(folder: Path, epochs: int, **options: Any) -> float:
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    engine_with(network, folder, epochs, **options).run(range(3), max_epochs=epochs)
    return float(network.weight.detach())


def test_training_resumes_from_the_newest_state_and_keeps_two(tmp_path: Path) -> None:
    assert trained(tmp_path, 3) == 9
    assert [path.name for path in collect_states(tmp_path)] == ["state_epoch=3.pt", "state_epoch=2.pt"]
    assert trained(tmp_path, 5) == 15, "2 epochs more, not 5"
    assert trained(tmp_path, 5) == 15, "a finished training runs nothing"


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 torn"])
def test_a_truncated_state_is_skipped_for_the_previous_one(tmp_path: Path, damage: bytes) -> None:
    trained(tmp_path, 3)
    (tmp_path / "state_epoch=3.pt").write_bytes(damage)
    assert trained(tmp_path, 3) == 9
    for path in collect_states(tmp_path):
        path.write_bytes(damage)
    with pytest.raises(WeightsError, match="--resume False"):
        trained(tmp_path, 3)
    assert trained(tmp_path, 1, resume=False) == 3
    assert [path.name for path in collect_states(tmp_path)] == ["state_epoch=1.pt"]


def test_machines_that_do_not_see_the_same_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ignite.distributed.all_gather", lambda epoch: [epoch, 3])
    with pytest.raises(WeightsError, match=r"\[0, 3\]"):
        trained(tmp_path, 5)


def test_of_several_processes_the_first_publishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    best = SaveBest(network=nn.Linear(1, 1), path=str(tmp_path / "model.pt"), metric="auc8")
    engine = Engine(nothing)
    engine.state.metrics["auc8"] = 0.8
    best(engine)
    assert best.best == 0.8
    assert not list(tmp_path.iterdir())


def test_a_state_of_another_training_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, 1)
    other = nn.Linear(2, 2)
    engine = Engine(nothing)
    engine.state.max_epochs, engine.state.epoch_length = 2, 3
    handler = LoadState(folder=str(tmp_path), parts={"network": other})
    handler.attach(engine)
    with pytest.raises(WeightsError, match="network"):
        handler(engine)
    handler.parts["bank"] = other
    with pytest.raises(WeightsError, match="bank"):
        handler(engine)
    engine.state.epoch_length = 4
    del handler.parts["bank"]
    with pytest.raises(WeightsError, match="3 steps"):
        handler(engine)


def test_one_state_is_not_enough() -> None:
    with pytest.raises(ValueError, match=r"^keep .* not 1\b"):
        SaveState(folder=".", parts={}, keep=1)


def validated(saver: SaveBest, value: float, epoch: int) -> None:
    logger = SimpleNamespace(info=str)
    saver(SimpleNamespace(state=SimpleNamespace(metrics={"auc8": value}, epoch=epoch), logger=logger))


def test_only_better_weights_are_published_also_after_a_resume(tmp_path: Path) -> None:
    network, path = nn.Linear(1, 1), tmp_path / "model.pt"
    saver = SaveBest(network=network, path=str(path), metric="auc8")
    remaining = []
    for epoch, value in enumerate((0.5, float("nan"), 0.7, 0.6, 0.7), 1):
        with torch.no_grad():
            network.weight.fill_(epoch)
        validated(saver, value, epoch)
        remaining.append(float(read_state(path)["weight"]))
    assert remaining == [1, 1, 3, 3, 3]

    again = SaveBest(network=network, path=str(path), metric="auc8")
    again.load_state_dict(saver.state_dict())
    validated(again, 0.65, 6)
    assert float(read_state(path)["weight"]) == 3
    validated(again, 0.8, 7)
    assert float(read_state(path)["weight"]) == 5


def test_weights_of_the_warm_up_are_not_published(tmp_path: Path) -> None:
    network = nn.Linear(1, 1)
    network.decoding = False
    validated(SaveBest(network=network, path=str(tmp_path / "model.pt"), metric="auc8"), 0.9, 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "Train some"),
        (b"", "0 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
        (b"hello", "not a readable file"),
        ({"model": {"weight": torch.ones(1, 1)}}, "not a plain state dict"),
        ({"weights": torch.ones(1, 1)}, "does not fit"),
        ({"weight": torch.ones(2, 1)}, "does not fit"),
        ({"weight": torch.full((1, 1), float("nan"))}, "not finite"),
        ([torch.ones(1)], "holds a list"),
        ({"weight": Engine}, "not a readable file"),
    ],
)
def test_unusable_weights_are_refused_with_the_reason(tmp_path: Path, content: object, text: str) -> None:
    path = tmp_path / "model.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    network = nn.Linear(1, 1, bias=False)
    with pytest.raises(WeightsError, match=text):
        LoadWeights(network=network, path=str(path))(Engine(nothing))


def test_weights_that_fit_are_loaded(tmp_path: Path) -> None:
    network = nn.Linear(1, 1, bias=False)
    torch.save({"weight": torch.full((1, 1), 7.0)}, tmp_path / "model.pt")
    load_weights(network, tmp_path / "model.pt")
    assert float(network.weight.detach()) == 7


def test_average_follows_slower_and_slower() -> None:
    network, average = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.zeros_(average.weight)
    nn.init.ones_(network.weight)
    handler = AverageWeights(network=network, average=average, decay=0.9)
    expected = 0.0
    for step in (1, 2, 200):
        handler(SimpleNamespace(state=SimpleNamespace(iteration=step)))
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay)
        assert float(average.weight) == pytest.approx(expected)
    assert not average.weight.requires_grad
