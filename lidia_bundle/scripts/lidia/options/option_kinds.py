"""Defines the kinds of option values, each with the conversion from the user's input."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scripts.lidia.options.expand_paths import expand_home

YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class OptionKind(NamedTuple):
    """A kind of option value."""

    name: str
    """Name for documentation, e.g. "text" or "whole number"."""
    convert: Callable[[Any], Any]
    """Converts the input to the value for the config; raises ValueError that names the valid values."""
    text: bool = False
    """Whether input is treated as text: never evaluated, never resolved as `$`, `@` or `%`."""


def as_text(value: Any) -> str:
    """Converts to text, unchanged.

    Raises:
        ValueError: if the value is not text, a path or a whole number.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | os.PathLike):
        raise ValueError("a text; in a file or in Python write it in quotes")
    text = str(value)
    if not text.strip() or "\0" in text:
        raise ValueError("a text that is not empty")
    return text


def as_path(value: Any) -> str:
    """Converts to a path, with `~` expanded.

    Raises:
        ValueError: if the value is not text, or its home folder is unknown.
    """
    return expand_home(as_text(value))


def as_paths(value: Any) -> str | list[str]:
    """Converts to one path, or a list of paths from `['a','b']`.

    Raises:
        ValueError: if one of them is not a path.
    """
    if isinstance(value, str) and value.strip().startswith("[") and not Path(value).exists():
        value = _split_list(value)
    if isinstance(value, list | tuple):
        return [as_path(part) for part in value]
    return as_path(value)


def as_flag(value: Any) -> bool:
    """Converts to True or False.

    Raises:
        ValueError: if the value is neither.
    """
    word = str(value).strip().lower()
    if word in YES or word in NO:
        return word in YES
    raise ValueError("True or False")


def integer_kind(low: int) -> OptionKind:
    """Makes the kind of whole numbers of at least `low`."""

    def convert(value: Any) -> int:
        expected = f"a whole number of at least {low}"
        number = _to_float(value, expected)
        if not number.is_integer() or number < low:
            raise ValueError(expected)
        return int(number)

    return OptionKind("whole number", convert)


def number_kind(low: float, below: float = math.inf) -> OptionKind:
    """Makes the kind of numbers of at least `low` and less than `below`."""
    expected = f"a number of at least {low:g}" + ("" if math.isinf(below) else f" and below {below:g}")

    def convert(value: Any) -> float:
        converted = _to_float(value, expected)
        if not low <= converted < below:
            raise ValueError(expected)
        return converted

    return OptionKind("number", convert)


def _convert_fraction(value: Any) -> float:
    expected = "a number from 0 to 1"
    fraction = _to_float(value, expected)
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(expected)
    return fraction


FRACTION = OptionKind("number from 0 to 1", _convert_fraction)


def numbers_kind(count: int, *, integers: bool = False, rising: bool = False) -> OptionKind:
    """Makes the kind of lists of `count` numbers, all positive or (`rising`) in ascending order."""
    what = "two rising numbers" if rising else f"{count} {'whole ' if integers else ''}numbers above 0"
    example = "[-200,400]" if rising else "[240,192,80]" if integers else "[1.5,1.5,2.5]"
    expected = f"{what}, such as {example}"

    def convert(value: Any) -> list[float] | list[int]:
        parts = _split_list(value) if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or len(parts) != count:
            raise ValueError(expected)
        converted = [_to_float(part, expected) for part in parts]
        fits = converted[0] < converted[-1] if rising else min(converted) > 0
        if not fits or (integers and not all(part.is_integer() for part in converted)):
            raise ValueError(expected)
        return [int(part) for part in converted] if integers else converted

    return OptionKind(f"{count} numbers", convert)


def choice_kind(*words: str, flag: bool = False) -> OptionKind:
    """Makes the kind of one word of a fixed list; with `flag` also False."""
    expected = "one of " + ", ".join([*(["False"] if flag else []), *words])

    def convert(value: Any) -> str | bool:
        if flag and str(value).strip().lower() in NO:
            return False
        if str(value) not in words:
            raise ValueError(expected)
        return str(value)

    return OptionKind(expected, convert, text=True)


def as_deidentify(value: Any) -> bool | str:
    """Converts to False, True or "uids".

    Raises:
        ValueError: if the value is none of them.
    """
    try:
        return value if value == "uids" else as_flag(value)
    except ValueError as problem:
        raise ValueError("False, True or uids") from problem


def names_kind(words: Sequence[str] = ()) -> OptionKind:
    """Makes the kind of lists of names, all from `words` if given."""
    expected = f"a list of some of {', '.join(words)}" if words else "a list of names, such as [a,b]"

    def convert(value: Any) -> list[str]:
        parts = _split_list(value) if isinstance(value, str) else value
        fits = isinstance(parts, list | tuple) and parts and all(isinstance(part, str) for part in parts)
        if not fits or (words and not set(parts) <= set(words)):
            raise ValueError(expected)
        return list(parts)

    return OptionKind("list of names", convert, text=True)


def as_mapping(value: Any) -> dict[str, Any]:
    """Converts to a mapping of names to names, numbers, or lists of them.

    Raises:
        ValueError: if the value is not a mapping.
    """
    expected = "a mapping, such as \"{'their name': 'our name'}\""
    if not isinstance(value, Mapping) or not value:
        raise ValueError(expected)
    return {str(key): list(part) if isinstance(part, tuple) else part for key, part in value.items()}


def as_device(value: Any) -> str:
    """Converts to the expression of an available device.

    Raises:
        ValueError: if the device is not available, or the value is not a device.
    """
    import torch  # takes seconds, and a help text does not need it

    word = f"cuda:{value}" if str(value).isdigit() else str(value).strip()
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    own = ["cpu", *(f"cuda:{n}" for n in range(count))]
    own += ["mps"] if torch.backends.mps.is_available() else []
    lack = "" if count else " (PyTorch finds no CUDA device)"
    expected = f"a device of this machine: {', '.join(own)}{lack}"
    try:
        device = torch.device(word)
        torch.empty(0, device=device)
    except Exception as problem:  # each kind of device has its own errors
        raise ValueError(expected) from problem
    if device.type == "meta":
        raise ValueError(expected)
    return f"$torch.device('{device}')"


def _to_float(value: Any, expected: str) -> float:
    try:
        converted = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError) as problem:
        raise ValueError(expected) from problem
    if not math.isfinite(converted):
        raise ValueError(expected)
    return converted


def _split_list(text: str) -> list[str]:
    """Splits `a,b`, `[a,b]` or `['a','b']`."""
    inner = re.sub(r"^\s*[\[(](.*)[\])]\s*$", r"\1", text, flags=re.DOTALL)
    return [re.sub(r"""^(['"])(.*)\1$""", r"\2", part.strip()) for part in inner.split(",")]


TEXT = OptionKind("text", as_text, text=True)
PATH = OptionKind("path", as_path, text=True)
PATHS = OptionKind("path or list of paths", as_paths, text=True)
FLAG = OptionKind("True or False", as_flag)
MAPPING = OptionKind("mapping of texts", as_mapping, text=True)
DEVICE = OptionKind("device", as_device)
