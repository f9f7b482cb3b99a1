"""Write TensorBoard files from the first value on."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from torch.utils.tensorboard import SummaryWriter


class DeferredWriter:
    """Writer that creates its folder and file at the first value.

    `SummaryWriter` creates both in its constructor, that is, while the objects of a config are built.

    Args:
        log_dir: folder of the files.
    """

    def __init__(self, log_dir: str) -> None:
        self.log_dir = log_dir

    @cached_property
    def writer(self) -> SummaryWriter:
        """The open writer."""
        return SummaryWriter(log_dir=self.log_dir)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.writer, name)
