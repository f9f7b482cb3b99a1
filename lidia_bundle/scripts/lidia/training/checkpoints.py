"""State of a training on disk: whole files only, two of them, and the newest that loads is continued.

MONAI's and Ignite's savers lose files to a kill at the wrong moment (written in place, or the old one removed
before the new one stands), and neither keeps the best metric over a resume. Random generators are not in the
state: every epoch starts from its own seed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator

from scripts.lidia.atomic import replacing, sweep
from scripts.lidia.runtime.weights import WeightsError, load_weights, read_state

PATTERN = re.compile(r"state_epoch=(\d+)\.pt")


def collect_states(folder: str | Path) -> list[Path]:
    """Saved states in a folder, newest first."""
    found = [
        (int(match[1]), path) for path in Path(folder).glob("*.pt") if (match := PATTERN.fullmatch(path.name))
    ]
    return [path for _, path in sorted(found, reverse=True)]


class SaveState:
    """Writes `state_epoch=N.pt` every few epochs and at the end, then removes all but the newest.

    Args:
        folder: where states go.
        parts: name -> object with `state_dict`, whatever must go on as it was; the trainer is added when
            attached.
        interval: epochs between states.
        keep: states that stay, at least 2: the newest may be unreadable after a power cut.

    Raises:
        ValueError: fewer than two states would be kept.
    """

    def __init__(self, *, folder: str, parts: dict[str, Any], interval: int = 1, keep: int = 2) -> None:
        if keep < 2:
            raise ValueError(f"At least 2 states are kept, not {keep}.")
        self.folder, self.parts, self.interval, self.keep = Path(folder), dict(parts), interval, keep

    def attach(self, engine: Engine) -> None:
        """Saves on EPOCH_COMPLETED; attach it after the validation, so that the best metric is in."""
        self.parts["trainer"] = engine
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), self)
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Writes the state of this epoch unless it stands already."""
        path = self.folder / f"state_epoch={engine.state.epoch}.pt"
        if path in collect_states(self.folder)[:1]:
            return
        with replacing(path) as beside:
            torch.save({name: part.state_dict() for name, part in self.parts.items()}, beside)
        for old in collect_states(self.folder)[self.keep :]:
            old.unlink(missing_ok=True)


class LoadState:
    """Continues from the newest state that loads, or starts afresh where there is none.

    Args:
        folder: where `SaveState` writes.
        parts: as for `SaveState`.
        device: where tensors go.
        resume: False starts afresh and leaves old states to be overwritten.
    """

    def __init__(
        self, *, folder: str, parts: dict[str, Any], device: torch.device | str = "cpu", resume: bool = True
    ) -> None:
        self.folder, self.parts, self.device, self.resume = Path(folder), dict(parts), device, resume

    def attach(self, engine: Engine) -> None:
        """Loads when the run starts."""
        self.parts["trainer"] = engine
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Loads the state, or the one before it.

        Raises:
            WeightsError: states are there and none loads, the one that loads belongs to another training, or
                the processes do not all find the same.
        """
        self.newest(engine)
        epochs = idist.all_gather(int(engine.state.epoch))
        if isinstance(epochs, list) and len(set(epochs)) > 1:
            raise WeightsError(
                f"The processes start after different epochs, {epochs}: {self.folder} has to be one folder "
                "that all machines see (--output_dir)."
            )

    def newest(self, engine: Engine) -> None:
        """Puts the newest state back that loads.

        Raises:
            WeightsError: states are there and none loads, or the one that loads belongs to another training.
        """
        if self.folder.is_dir():
            sweep(self.folder)
        found = collect_states(self.folder)
        if not self.resume:
            for old in found:
                old.unlink(missing_ok=True)  # another process may have been faster
            return
        for path in found:
            try:
                state = read_state(path, self.device)
            except WeightsError as problem:
                engine.logger.warning(str(problem))
                continue
            self.restore(engine, path, state)
            return
        if found:
            raise WeightsError(f"No state in {self.folder} loads. Start afresh with --resume False.")

    def restore(self, engine: Engine, path: Path, state: dict[str, Any]) -> None:
        """Puts a state's parts back where they came from.

        Raises:
            WeightsError: the state lacks a part, or a part does not take it.
        """
        length, epochs = engine.state.epoch_length, engine.state.max_epochs
        missing = sorted(self.parts.keys() - state.keys())
        if missing:
            raise WeightsError(
                f"{path} lacks {missing}: another training's; take --resume False or another --output_dir."
            )
        if state["trainer"]["epoch_length"] != length:
            was = state["trainer"]["epoch_length"]
            raise WeightsError(
                f"{path} had {was} steps an epoch, this training has {length}: go on as it was."
            )
        for name, part in self.parts.items():
            try:
                part.load_state_dict(state[name])
            except (RuntimeError, ValueError, KeyError) as problem:
                raise WeightsError(f"{path}: `{name}` does not fit this training: {problem}") from problem
        engine.state.max_epochs = epochs
        done = " Nothing left to do: raise --max_epochs." if engine.state.epoch >= epochs else ""
        engine.logger.info(f"Goes on from {path} after epoch {engine.state.epoch} of {epochs}.{done}")


class SaveBest:
    """Handler of the validation: publishes averaged weights as a plain state dict, only if they are better.

    Its own state is the best value so far, so that the first validation after a resume overwrites nothing
    better. Of several processes, which all have the same weights, the first writes.

    Args:
        network: whose weights are written.
        path: the file, replaced by a rename.
        metric: name in `engine.state.metrics`, larger is better.
    """

    def __init__(self, *, network: torch.nn.Module, path: str, metric: str) -> None:
        self.network, self.path, self.metric = network, Path(path), metric
        self.best, self.epoch = float("-inf"), 0

    def attach(self, engine: Engine) -> None:
        """Compares when a validation is complete."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Writes the weights if the metric rose; a metric that is NaN is never better.

        Weights of the warm-up are not published: their decoder knows nothing yet, and a file cannot say so.
        """
        value = float(engine.state.metrics[self.metric])
        if value > self.best and getattr(self.network, "decoding", True):
            self.best, self.epoch = value, int(engine.state.epoch)
            if idist.get_rank() == 0:
                with replacing(self.path) as beside:
                    torch.save(self.network.state_dict(), beside)
            engine.logger.info(f"{self.metric} {value:.4f} is the best so far: {self.path}")

    def state_dict(self) -> dict[str, float]:
        """Best value and the epoch it came from."""
        return {"best": self.best, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Goes on from a saved best value."""
        self.best, self.epoch = float(state["best"]), int(state["epoch"])


class BaselineFromExistingWeights:
    """Measures the weights that stand already, before the first step: only better ones will replace them.

    Args:
        best: publishes weights; told how good the standing ones are.
        validator: the evaluator that `best` hangs on, with patients to look at.
        device: where tensors go on the way.
    """

    def __init__(self, *, best: SaveBest, validator: Evaluator, device: torch.device | str = "cpu") -> None:
        self.best, self.validator, self.device = best, validator, device

    def attach(self, engine: Engine) -> None:
        """Measures when the run starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Measures the weights in the file that `best` would write.

        Raises:
            WeightsError: there is no patient to validate on.
        """
        if len(self.validator.data_loader) == 0:
            raise WeightsError("No patient to validate on: no weights can be called better. Label more.")
        load_weights(self.best.network, self.best.path, self.device)
        self.best.best = float("inf")  # nothing is written meanwhile
        self.validator.run(engine.state.epoch)
        self.best.best = float(self.validator.state.metrics[self.best.metric])
        engine.logger.info(f"{self.best.metric} {self.best.best:.4f} is what {self.best.path} reaches so far")
