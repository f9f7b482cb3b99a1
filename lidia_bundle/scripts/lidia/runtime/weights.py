"""Read weights from files strictly, with an error that names the problem and the remedy."""

from __future__ import annotations

import logging
import os
import zipfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import nn

from scripts.lidia.net.legacy_names import has_legacy_names, rename_legacy

logger = logging.getLogger(__name__)

POINTER = b"version https://git-lfs"


class WeightsError(RuntimeError):
    """Error of a file of weights or training state; names the file and the remedy."""


def hash_file(path: str | os.PathLike[str]) -> str:
    """Computes the SHA-256 of a file."""
    return sha256(Path(path).read_bytes()).hexdigest()


def list_weight_files(weights: str | os.PathLike[str] | Sequence[str]) -> tuple[str, ...]:
    """Lists the files of weights in use: one, or several of an ensemble.

    Raises:
        WeightsError: no file is named, or one is named twice.
    """
    files = (str(weights),) if isinstance(weights, str | os.PathLike) else tuple(map(str, weights))
    if not files or len(set(files)) < len(files):
        raise WeightsError(f"--model_file names {list(files)}: give one file, or several different ones.")
    return files


def hash_weight_files(weights: str | os.PathLike[str] | Sequence[str]) -> list[str]:
    """Computes the SHA-256 of each file of weights; "none" for a missing file."""
    return [hash_file(path) if Path(path).is_file() else "none" for path in list_weight_files(weights)]


def fingerprint_weights(weights: str | os.PathLike[str] | Sequence[str]) -> str:
    """Computes the key of a calibration: the SHA-256 of one file, or of the sorted SHA-256 of several."""
    digests = hash_weight_files(weights)
    return digests[0] if len(digests) == 1 else sha256("\n".join(sorted(digests)).encode()).hexdigest()


def read_state(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> dict[str, Any]:
    """Reads a file of tensors and plain values; no code in it is executed.

    Args:
        path: the file.
        device: device of the tensors.

    Raises:
        WeightsError: the file is missing, empty, a Git LFS pointer, damaged, or contains more than data.
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
    if not _has_valid_checksums(path):
        raise WeightsError(f"{path} is damaged: a checksum in it is wrong. Fetch it again.")
    try:
        state = torch.load(path, map_location=device, weights_only=True)  # noqa: TID251
    except Exception as problem:
        raise WeightsError(
            f"{path} is not a readable file of tensors ({problem}). Fetch it again."
        ) from problem
    if not isinstance(state, dict):
        raise WeightsError(f"{path} holds a {type(state).__name__}, not a state dict.")
    return state


def _has_valid_checksums(path: Path) -> bool:
    """Checks the checksums of a zip file; torch does not, and would load a flipped bit."""
    try:
        if not zipfile.is_zipfile(path):
            return True  # another format: torch decides whether it is readable
        with zipfile.ZipFile(path) as parts:
            return parts.testzip() is None
    except Exception:  # a damaged zip raises errors of zlib, struct or codecs
        return False


def load_weights(
    network: nn.Module,
    path: str | os.PathLike[str],
    device: torch.device | str = "cpu",
    fresh: Sequence[str] = (),
) -> list[str]:
    """Loads a plain state dict into a network; all keys and shapes must match, except layers in `fresh`.

    Args:
        network: network to fill in place.
        path: a file such as `models/model.pt`.
        device: device on which tensors are loaded.
        fresh: layers that are not loaded, e.g. `transformer_decoder.heads.class_embed`, whether or not the
            file contains them.

    Returns:
        Names of the parameters and buffers that were not loaded.

    Raises:
        WeightsError: the file is unusable, its keys or shapes differ from the network's, a value is not
            finite, or `fresh` names a layer that neither has.
    """
    state = read_state(path, device)
    not_tensors = sorted(name for name, value in state.items() if not isinstance(value, torch.Tensor))
    if not_tensors:
        raise WeightsError(
            f"{path} is not a plain state dict: {not_tensors[:3]} are no tensors. A training's state is for "
            "--resume; weights stand beside it in model.pt."
        )
    not_finite = sorted(name for name, value in state.items() if not torch.isfinite(value).all())
    if not_finite:
        raise WeightsError(f"{path}: not finite: {not_finite[:3]}. Fetch or train the weights again.")
    if has_legacy_names(state):
        logger.warning("%s was written before release 2.0.0: its parameters are renamed.", path)
        state = rename_legacy(state)
    current = network.state_dict()
    unknown = [layer for layer in fresh if not any(_belongs_to(name, [layer]) for name in (*current, *state))]
    if unknown:
        raise WeightsError(f"`fresh` names {unknown}: neither the network nor {path} has such layers.")
    not_loaded = [name for name in current if _belongs_to(name, fresh)]
    loaded = {name: value for name, value in state.items() if not _belongs_to(name, fresh)}
    try:
        network.load_state_dict({**loaded, **{name: current[name] for name in not_loaded}}, strict=True)
    except RuntimeError as problem:
        raise WeightsError(
            f"{path} does not fit this network: {problem}\nTake the network that it was trained with; in a "
            "training, layers that shall start anew can be named by `fresh` of LoadWeights."
        ) from problem
    return not_loaded


def _belongs_to(name: str, layers: Sequence[str]) -> bool:
    return any(name == layer or name.startswith(f"{layer}.") for layer in layers)


class LoadWeights:
    """Handler that loads weights before an evaluation or a fine-tuning, and logs the layers not loaded.

    Args:
        network: network to fill in place.
        path: plain state dict; for an `Ensemble` a list, one per member.
        device: device on which tensors are loaded.
        fresh: layers that are not loaded, see `load_weights`.
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        path: str | Sequence[str],
        device: torch.device | str = "cpu",
        fresh: Sequence[str] = (),
    ) -> None:
        self.network, self.path, self.device, self.fresh = network, path, device, tuple(fresh)

    def attach(self, engine: Engine) -> None:
        """Loads the weights when the run starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Loads the weights.

        Raises:
            WeightsError: a file is unusable, or there are more files than networks.
        """
        files = list_weight_files(self.path)
        members = [self.network] if len(files) == 1 else list(getattr(self.network, "members", ()))
        if len(members) != len(files):
            raise WeightsError(
                f"--model_file names {len(files)} files for one network: lay "
                "overlays/recipes/ensemble.yaml over the config (inference.json has it already), "
                "or name one file."
            )
        for member, file in zip(members, files, strict=True):
            not_loaded = load_weights(member, file, self.device, self.fresh)
            message = (
                f"; not loaded, as `fresh` says: {', '.join(not_loaded)}" if not_loaded else ", all of them"
            )
            engine.logger.info(f"Weights from {file}{message}")
