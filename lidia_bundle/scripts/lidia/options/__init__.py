"""Options of a config: what each may hold, what a caller gave, and one error for all that does not fit."""

from __future__ import annotations

from scripts.lidia.options.apply import OptionError, apply_options

__all__ = ["OptionError", "apply_options"]
