"""Checks of a whole datalist before anything is trained on it: faults, leaks, and what is in it."""

from scripts.lidia.check.command import check

__all__ = ["check"]
