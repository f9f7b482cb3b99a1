"""Kinds of values that an option can hold, each with the conversion of what a user typed."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from scripts.lidia.options.expand_paths import expand

YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Kind(NamedTuple):
    """What an option may hold."""

    name: str
    """For the documents, e.g. "text" or "whole number"."""
    convert: Callable[[Any], Any]
    """Gives the value for the config, of what was typed or given; ValueError says what would be right."""
    text: bool = False
    """Whether a value from outside is taken as text: never evaluated, never resolved as `$`, `@` or `%`."""


def as_text(value: Any) -> str:
    """Gives a text as it was typed.

    Raises:
        ValueError: the value is neither text, a path nor a whole number.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | os.PathLike):
        raise ValueError("a text; in a file or in Python write it in quotes")
    text = str(value)
    if not text.strip() or "\0" in text:
        raise ValueError("a text that is not empty")
    return text


def as_path(value: Any) -> str:
    """Gives a path, with `~` expanded.

    Raises:
        ValueError: the value is no text, or its home folder is unknown.
    """
    return expand(as_text(value))


def as_paths(value: Any) -> str | list[str]:
    """Gives one path, or a list of paths that was typed as `['a','b']`.

    Raises:
        ValueError: one of them is no path.
    """
    if isinstance(value, str) and value.strip().startswith("[") and not Path(value).exists():
        value = _parts(value)
    if isinstance(value, list | tuple):
        return [as_path(part) for part in value]
    return as_path(value)


def as_flag(value: Any) -> bool:
    """Gives True or False.

    Raises:
        ValueError: the value is neither.
    """
    word = str(value).strip().lower()
    if word in YES or word in NO:
        return word in YES
    raise ValueError("True or False")


def whole(low: int) -> Kind:
    """Makes the kind of whole numbers from `low` on."""

    def convert(value: Any) -> int:
        right = f"a whole number of at least {low}"
        number = _number(value, right)
        if not number.is_integer() or number < low:
            raise ValueError(right)
        return int(number)

    return Kind("whole number", convert)


def number(low: float, below: float = math.inf) -> Kind:
    """Makes the kind of numbers from `low` to less than `below`."""
    right = f"a number of at least {low:g}" + ("" if math.isinf(below) else f" and below {below:g}")

    def convert(value: Any) -> float:
        found = _number(value, right)
        if not low <= found < below:
            raise ValueError(right)
        return found

    return Kind("number", convert)


def _convert_fraction(value: Any) -> float:
    expected = "a number from 0 to 1"
    fraction = _number(value, expected)
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(expected)
    return fraction


FRACTION = Kind("number from 0 to 1", _convert_fraction)


def numbers(count: int, *, integers: bool = False, rising: bool = False) -> Kind:
    """Makes the kind of lists of `count` numbers: above 0, or rising."""
    what = "two rising numbers" if rising else f"{count} {'whole ' if integers else ''}numbers above 0"
    example = "[-200,400]" if rising else "[144,112,80]" if integers else "[2.5,2.5,2.5]"
    right = f"{what}, such as {example}"

    def convert(value: Any) -> list[float] | list[int]:
        parts = _parts(value) if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or len(parts) != count:
            raise ValueError(right)
        found = [_number(part, right) for part in parts]
        fits = found[0] < found[-1] if rising else min(found) > 0
        if not fits or (integers and not all(part.is_integer() for part in found)):
            raise ValueError(right)
        return [int(part) for part in found] if integers else found

    return Kind(f"{count} numbers", convert)


def choice(*words: str, flag: bool = False) -> Kind:
    """Makes the kind of one word of a closed list; with `flag` False is possible too."""
    right = "one of " + ", ".join([*(["False"] if flag else []), *words])

    def convert(value: Any) -> str | bool:
        if flag and str(value).strip().lower() in NO:
            return False
        if str(value) not in words:
            raise ValueError(right)
        return str(value)

    return Kind("one of a list", convert, text=True)


def deidentify(value: Any) -> bool | str:
    """Gives False, True or "uids".

    Raises:
        ValueError: the value is none of them.
    """
    try:
        return value if value == "uids" else as_flag(value)
    except ValueError as problem:
        raise ValueError("False, True or uids") from problem


def names(words: Sequence[str] = ()) -> Kind:
    """Makes the kind of lists of names, all from `words` if there are any."""
    right = f"a list of some of {', '.join(words)}" if words else "a list of names, such as [a,b]"

    def convert(value: Any) -> list[str]:
        parts = _parts(value) if isinstance(value, str) else value
        fits = isinstance(parts, list | tuple) and parts and all(isinstance(part, str) for part in parts)
        if not fits or (words and not set(parts) <= set(words)):
            raise ValueError(right)
        return list(parts)

    return Kind("list of names", convert, text=True)


def as_mapping(value: Any) -> dict[str, Any]:
    """Gives a mapping of names to names, numbers, or lists of them.

    Raises:
        ValueError: the value is no mapping.
    """
    right = "a mapping, such as \"{'their name': 'our name'}\""
    if not isinstance(value, Mapping) or not value:
        raise ValueError(right)
    return {str(key): list(part) if isinstance(part, tuple) else part for key, part in value.items()}


def as_device(value: Any) -> str:
    """Gives the expression of a device that this machine has.

    Raises:
        ValueError: it has not, or the value names none.
    """
    word = f"cuda:{value}" if str(value).isdigit() else str(value).strip()
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    own = ["cpu", *(f"cuda:{n}" for n in range(count))]
    own += ["mps"] if torch.backends.mps.is_available() else []
    lack = "" if count else " (PyTorch finds no CUDA device)"
    right = f"a device of this machine: {', '.join(own)}{lack}"
    try:
        device = torch.device(word)
        torch.empty(0, device=device)
    except Exception as problem:  # each kind of device has its own errors
        raise ValueError(right) from problem
    if device.type == "meta":
        raise ValueError(right)
    return f"$torch.device('{device}')"


def _number(value: Any, right: str) -> float:
    try:
        found = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError) as problem:
        raise ValueError(right) from problem
    if not math.isfinite(found):
        raise ValueError(right)
    return found


def _parts(text: str) -> list[str]:
    """Splits `a,b`, `[a,b]` or `['a','b']`."""
    inner = re.sub(r"^\s*[\[(](.*)[\])]\s*$", r"\1", text, flags=re.DOTALL)
    return [re.sub(r"""^(['"])(.*)\1$""", r"\2", part.strip()) for part in inner.split(",")]


TEXT = Kind("text", as_text, text=True)
PATH = Kind("path", as_path, text=True)
PATHS = Kind("path or list of paths", as_paths, text=True)
FLAG = Kind("True or False", as_flag)
MAPPING = Kind("mapping of texts", as_mapping, text=True)
DEVICE = Kind("device", as_device)
