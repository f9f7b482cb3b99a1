"""Prepares training data before the first epoch."""

from __future__ import annotations

from typing import Protocol

from ignite.engine import Engine, Events


class Preparable(Protocol):
    """Data with a step that is done once."""

    def prepare(self) -> None:
        """Prepares the data, with a progress bar."""


class PrepareData:
    """Handler that prepares the data at the start, in this process, so that loader workers find them ready.

    Args:
        data: the data.
    """

    def __init__(self, data: Preparable) -> None:
        self.data = data

    def attach(self, engine: Engine) -> None:
        """Prepares on STARTED."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Prepares the data."""
        self.data.prepare()
