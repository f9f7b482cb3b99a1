"""Save the state of a training atomically, and resume from the newest state that can be loaded.

The savers of MONAI and Ignite can lose files if the process is killed (they write in place, or remove the
old file before the new one is complete), and neither preserves the best metric over a resume. The states of
random generators are not saved: every epoch starts from its own seed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator

from scripts.lidia.atomic import remove_stale_files, write_atomically
from scripts.lidia.runtime.weights import WeightsError, load_weights, read_state

PATTERN = re.compile(r"state_epoch=(\d+)\.pt")


def collect_states(folder: str | Path) -> list[Path]:
    """List the saved states in a folder, newest first."""
    epochs = [
        (int(match[1]), path) for path in Path(folder).glob("*.pt") if (match := PATTERN.fullmatch(path.name))
    ]
    return [path for _, path in sorted(epochs, reverse=True)]


class SaveState:
    """Handler that writes `state_epoch=N.pt` every `interval` epochs and at the end, and removes old states.

    Args:
        folder: folder of the states.
        parts: name -> object with `state_dict`, everything that a resumed training restores; the trainer is
            added in `attach`.
        interval: epochs between states.
        keep: number of states to keep, at least 2, because the newest may be unreadable after a power cut.

    Raises:
        ValueError: `keep` is below 2.
    """

    def __init__(self, *, folder: str, parts: dict[str, Any], interval: int = 1, keep: int = 2) -> None:
        if keep < 2:
            raise ValueError(f"keep must be at least 2, not {keep}.")
        self.folder, self.parts, self.interval, self.keep = Path(folder), dict(parts), interval, keep

    def attach(self, engine: Engine) -> None:
        """Save on EPOCH_COMPLETED; attach it after the validation, so that the best metric is included."""
        self.parts["trainer"] = engine
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), self)
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write the state of this epoch unless it exists."""
        path = self.folder / f"state_epoch={engine.state.epoch}.pt"
        if path in collect_states(self.folder)[:1]:
            return
        with write_atomically(path) as temporary:
            torch.save({name: part.state_dict() for name, part in self.parts.items()}, temporary)
        for old in collect_states(self.folder)[self.keep :]:
            old.unlink(missing_ok=True)


class LoadState:
    """Handler that resumes from the newest state that can be loaded; without states the training starts anew.

    Args:
        folder: folder of `SaveState`.
        parts: as in `SaveState`.
        device: device of the tensors.
        resume: False starts a new training and removes old states.
    """

    def __init__(
        self, *, folder: str, parts: dict[str, Any], device: torch.device | str = "cpu", resume: bool = True
    ) -> None:
        self.folder, self.parts, self.device, self.resume = Path(folder), dict(parts), device, resume

    def attach(self, engine: Engine) -> None:
        """Load when the run starts."""
        self.parts["trainer"] = engine
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Load the newest readable state and check that all processes resume at the same epoch.

        Raises:
            WeightsError: states exist but none can be loaded, the state belongs to another training, or the
                processes resume at different epochs.
        """
        self.load_newest(engine)
        epochs = idist.all_gather(int(engine.state.epoch))
        if isinstance(epochs, list) and len(set(epochs)) > 1:
            raise WeightsError(
                f"The processes resume after different epochs, {epochs}: {self.folder} must be one folder "
                "that all machines share (--output_dir)."
            )

    def load_newest(self, engine: Engine) -> None:
        """Restore the newest state that can be loaded.

        Raises:
            WeightsError: states exist but none can be loaded, or the state belongs to another training.
        """
        if self.folder.is_dir():
            remove_stale_files(self.folder)
        states = collect_states(self.folder)
        if not self.resume:
            for old in states:
                old.unlink(missing_ok=True)  # another process may have removed it
            return
        for path in states:
            try:
                state = read_state(path, self.device)
            except WeightsError as problem:
                engine.logger.warning(str(problem))
                continue
            self.restore(engine, path, state)
            return
        if states:
            raise WeightsError(
                f"No state in {self.folder} can be loaded. Start a new training with --resume False."
            )

    def restore(self, engine: Engine, path: Path, state: dict[str, Any]) -> None:
        """Restore the parts from a state.

        Raises:
            WeightsError: the state lacks a part, or a part cannot load it.
        """
        length, epochs = engine.state.epoch_length, engine.state.max_epochs
        missing = sorted(self.parts.keys() - state.keys())
        if missing:
            raise WeightsError(
                f"{path} lacks {missing}: it belongs to another training. "
                "Use --resume False or a new --output_dir."
            )
        if state["trainer"]["epoch_length"] != length:
            saved_length = state["trainer"]["epoch_length"]
            raise WeightsError(
                f"{path} has {saved_length} steps per epoch, not {length}: resume with {saved_length} steps."
            )
        for name, part in self.parts.items():
            try:
                part.load_state_dict(state[name])
            except (RuntimeError, ValueError, KeyError) as problem:
                raise WeightsError(f"{path}: `{name}` does not match this training: {problem}") from problem
        engine.state.max_epochs = epochs
        done = (
            " The training is complete; to continue it, raise --max_epochs."
            if engine.state.epoch >= epochs
            else ""
        )
        engine.logger.info(f"Resuming from {path} after epoch {engine.state.epoch} of {epochs}.{done}")


class SaveBest:
    """Validation handler that saves the network's weights as a plain state dict if the metric improves.

    The state of the handler is the best value so far, so that a resumed training does not overwrite better
    weights. With several processes, which all have the same weights, rank 0 writes the file.

    Args:
        network: network whose weights are written.
        path: output file, replaced atomically.
        metric: name in `engine.state.metrics`; larger is better.
    """

    def __init__(self, *, network: torch.nn.Module, path: str, metric: str) -> None:
        self.network, self.path, self.metric = network, Path(path), metric
        self.best, self.epoch = float("-inf"), 0

    def attach(self, engine: Engine) -> None:
        """Compare when a validation is complete."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write the weights if the metric increased; NaN is never better.

        Weights of the warm-up are not saved, because their decoder is untrained.
        """
        value = float(engine.state.metrics[self.metric])
        if value > self.best and getattr(self.network, "decoding", True):
            self.best, self.epoch = value, int(engine.state.epoch)
            if idist.get_rank() == 0:
                with write_atomically(self.path) as temporary:
                    torch.save(self.network.state_dict(), temporary)
            engine.logger.info(f"{self.metric} {value:.4f} is the best so far: {self.path}")

    def state_dict(self) -> dict[str, float]:
        """Return the best value and its epoch."""
        return {"best": self.best, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Restore a saved best value."""
        self.best, self.epoch = float(state["best"]), int(state["epoch"])


class BaselineFromExistingWeights:
    """Handler that validates existing weights before training, so that only better weights replace them.

    Args:
        best: handler that saves weights; its best value is set.
        validator: evaluator that `best` is attached to.
        device: device for loading the tensors.
    """

    def __init__(self, *, best: SaveBest, validator: Evaluator, device: torch.device | str = "cpu") -> None:
        self.best, self.validator, self.device = best, validator, device

    def attach(self, engine: Engine) -> None:
        """Validate when the run starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Validate the weights in the output file of `best`.

        Raises:
            WeightsError: there are no validation patients.
        """
        if len(self.validator.data_loader) == 0:
            raise WeightsError(
                "There are no validation patients, so weights cannot be compared: label more patients."
            )
        load_weights(self.best.network, self.best.path, self.device)
        self.best.best = float("inf")  # prevents writing during this validation
        self.validator.run(engine.state.epoch)
        self.best.best = float(self.validator.state.metrics[self.best.metric])
        engine.logger.info(
            f"{self.best.metric} {self.best.best:.4f} is the present value of {self.best.path}"
        )
