"""Defines the error of a command line that cannot be run."""

from __future__ import annotations


class CommandError(ValueError):
    """A command, an input or an option that cannot be used; the text names it and the remedy."""
