"""The one place that reads weights from a file: strictly, and with words for what can be wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import nn

POINTER = b"version https://git-lfs"


class WeightsError(RuntimeError):
    """A file of weights or of a training's state that cannot be used; says which, and what to do."""


def read_state(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> dict[str, Any]:
    """Content of a file of tensors and plain values; nothing in it is executed.

    Args:
        path: the file.
        device: where tensors go.

    Raises:
        WeightsError: it is missing, empty, a Git LFS pointer, torn, or holds more than data.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(
            f"No weights at {path}. Train some (`python -m monai.bundle run training --config_file "
            "lidia_bundle/configs/train.json --dataset_dir ...`) or name a file with --model_file."
        )
    if path.stat().st_size == 0:
        raise WeightsError(f"{path} has 0 bytes: its writing or download was cut off. Fetch it again.")
    with path.open("rb") as file:
        if file.read(len(POINTER)) == POINTER:
            raise WeightsError(f"{path} is a Git LFS pointer, not the weights: run `git lfs pull`.")
    try:
        state = torch.load(path, map_location=device, weights_only=True)  # noqa: TID251
    except Exception as problem:
        raise WeightsError(
            f"{path} is not a readable file of tensors ({problem}). Fetch it again."
        ) from problem
    if not isinstance(state, dict):
        raise WeightsError(f"{path} holds a {type(state).__name__}, not a state dict.")
    return state


def load_weights(
    network: nn.Module, path: str | os.PathLike[str], device: torch.device | str = "cpu"
) -> None:
    """Fills a network from a plain state dict, every key and shape.

    Args:
        network: filled in place.
        path: a file such as `models/model.pt`.
        device: where tensors go on the way.

    Raises:
        WeightsError: the file is unusable, its keys or shapes are not the network's, or a value is not
            finite.
    """
    state = read_state(path, device)
    odd = sorted(name for name, value in state.items() if not isinstance(value, torch.Tensor))
    if odd:
        raise WeightsError(
            f"{path} is not a plain state dict: {odd[:3]} are no tensors. A training's state is for "
            "--resume; weights stand beside it in model.pt."
        )
    sick = sorted(name for name, value in state.items() if not torch.isfinite(value).all())
    if sick:
        raise WeightsError(f"{path}: not finite: {sick[:3]}. Fetch or train the weights again.")
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as problem:
        raise WeightsError(f"{path} does not fit this network: {problem}") from problem


class LoadWeights:
    """Handler that fills a network before an evaluation starts.

    Args:
        network: filled in place.
        path: plain state dict.
        device: where tensors go on the way.
    """

    def __init__(self, *, network: nn.Module, path: str, device: torch.device | str = "cpu") -> None:
        self.network, self.path, self.device = network, path, device

    def attach(self, engine: Engine) -> None:
        """Loads when the run starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Loads, strictly."""
        load_weights(self.network, self.path, self.device)
        engine.logger.info(f"Weights from {self.path}")
