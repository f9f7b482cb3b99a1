"""Determine the number of patients when an evaluation runs, not when its config is built."""

from __future__ import annotations

from typing import Any

from monai.engines import SupervisedEvaluator


class DeferredEvaluator(SupervisedEvaluator):
    """MONAI's evaluator, which takes the length of its data at the start of each run.

    MONAI takes it in the constructor, which would read the datalist while the objects of a config are built.

    Args:
        **kwargs: arguments of `SupervisedEvaluator`; `epoch_length` is kept if it is given.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.has_fixed_length = kwargs.get("epoch_length") is not None
        super().__init__(**{**kwargs, "epoch_length": kwargs.get("epoch_length") or 0})

    def run(self, global_epoch: int = 1) -> None:
        """Runs the evaluation.

        Args:
            global_epoch: epoch of the training that runs it.
        """
        self.take_length()
        super().run(global_epoch)

    def take_length(self) -> None:
        """Sets the length of the epoch, which reads the list of patients at the first run."""
        if not self.has_fixed_length:
            self.state.epoch_length = len(self.data_loader)
