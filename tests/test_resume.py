"""A resumed training ends in the same bits as an uninterrupted one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Events
from test_configs import TRAINING, workflow
from training.toys import write_toys

from scripts.lidia.runtime.weights import read_state

# MONAI's word of caution about foreign configs; these are our own.
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")


class Stopped(Exception):
    pass


def stop(engine: Any) -> None:
    raise Stopped


def flat(state: Any, name: str = "") -> dict[str, Any]:
    """Every tensor and number of a nested state by its path."""
    if isinstance(state, dict):
        return {k: v for key, part in state.items() for k, v in flat(part, f"{name}.{key}").items()}
    if isinstance(state, list | tuple):
        return {k: v for key, part in enumerate(state) for k, v in flat(part, f"{name}.{key}").items()}
    return {name: state}


@pytest.mark.parametrize("overlays", [(), ("recipes/sam.yaml",)], ids=["plain", "sam"])
def test_stopped_and_resumed_is_never_stopped(tmp_path: Path, overlays: tuple[str, ...]) -> None:
    toys = write_toys(tmp_path / "toys")
    options = {**TRAINING, "dataset_dir": str(toys), "cache_dir": str(tmp_path / "cache"), "val_interval": 2}
    options["max_epochs"] = 4

    def training(folder: str) -> Any:
        return workflow("train", *overlays, **options, output_dir=str(tmp_path / folder))

    training("whole").run()
    first = training("parts")
    # In the middle of the third epoch: its first step is lost and taken again.
    first.trainer.add_event_handler(Events.ITERATION_STARTED(once=6), stop)
    with pytest.raises(RuntimeError):
        first.run()
    assert (tmp_path / "parts/state_epoch=2.pt").is_file()
    assert not (tmp_path / "parts/state_epoch=3.pt").is_file()
    torch.rand(7)
    training("parts").run()

    for name in ("state_epoch=3.pt", "state_epoch=4.pt", "model.pt"):
        complete, parts = (flat(read_state(tmp_path / folder / name)) for folder in ("whole", "parts"))
        assert complete.keys() == parts.keys()
        for key, value in complete.items():
            same = torch.equal(value, parts[key]) if isinstance(value, torch.Tensor) else value == parts[key]
            assert same, f"{name} {key}: {value} and {parts[key]}"
    assert int(whole_bank(tmp_path / "whole/state_epoch=4.pt")) > 0, "the memory bank was used at all"


def whole_bank(path: Path) -> torch.Tensor:
    return (read_state(path)["criterion"]["bank.classes"] >= 0).sum()
