"""Checks of a whole datalist before anything is trained on it: faults, leaks, and what is in it."""

from scripts.lidia.check.command import check
from scripts.lidia.check.expressions import list_expressions

__all__ = ["check", "list_expressions"]
