"""Checks the values that clients of the label server send; other values are refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

YES, NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class Refusal(ValueError):
    """A refused request.

    Args:
        key: the key, parameter, field or file that is invalid.
        problem: what is wrong, and what is accepted.
        status: HTTP status.
    """

    def __init__(self, key: str, problem: str, status: int = 422) -> None:
        super().__init__(key, problem, status)
        self.key, self.problem, self.status = key, problem, status

    def __str__(self) -> str:
        plain = self.key.replace("-", "_").isidentifier() and len(self.key) <= 60
        return f"{self.key if plain else shorten(self.key)}: {self.problem}"


@dataclass(frozen=True)
class ServerState:
    """The current state of a running server.

    Args:
        models: names of the inference models.
        trainers: names of the training models.
        strategies: names of the active learning strategies.
        methods: names of the scoring methods.
        devices: PyTorch's name of each device, by the accepted names.
        gpus: number of GPUs.
        weights: names of the weight files.
        has_image: whether the datastore has an image of this name.
        has_session: whether there is a session of this id.
        dicomweb: whether the datastore is a DICOMweb server.
    """

    models: Collection[str]
    trainers: Collection[str]
    strategies: Collection[str]
    methods: Collection[str]
    devices: Mapping[str, str]
    gpus: int
    weights: Collection[str]
    has_image: Callable[[str], bool]
    has_session: Callable[[str], bool]
    dicomweb: bool = False


Check = Callable[[str, Any, ServerState], Any]
"""Checks a value by key, value and server state, and returns the value to use.

Raises:
    Refusal: the value is invalid.
"""


Checks = dict[str, Check]
"""The check of each key."""


def shorten(value: Any) -> str:
    """Shortens a value for a message and escapes control characters."""
    if isinstance(value, str):
        return ascii(value if len(value) <= 60 else f"{value[:60]}..")
    if isinstance(value, list | dict):
        return f"a {'list' if isinstance(value, list) else 'group'} of {len(value)}"
    return ascii(value)[:40]


def check_boolean(key: str, value: Any, state: ServerState) -> bool:
    """Checks a boolean.

    Raises:
        Refusal: the value is something else.
    """
    if not isinstance(value, bool):
        raise Refusal(key, f"true or false, not {shorten(value)}")
    return value


def make_number_check(low: float, high: float) -> Check:
    """Makes a check for a finite number within bounds."""

    def check(key: str, value: Any, state: ServerState) -> float:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if not plain or not low <= value <= high or not math.isfinite(value):
            raise Refusal(key, f"a number from {low:g} to {high:g}, not {shorten(value)}")
        return float(value)

    return check


def make_integer_check(low: int, high: int) -> Check:
    """Makes a check for an integer within bounds."""

    def check(key: str, value: Any, state: ServerState) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise Refusal(key, f"a whole number from {low} to {high}, not {shorten(value)}")
        return value

    return check


def make_choice_check(*names: str) -> Check:
    """Makes a check for one of a list of texts."""

    def check(key: str, value: Any, state: ServerState) -> str:
        if not isinstance(value, str) or value not in names:
            accepted = ", ".join(name or "nothing" for name in names)
            raise Refusal(key, f"one of {accepted}, not {shorten(value)}")
        return value

    return check


def make_server_name_check(names: Callable[[ServerState], Collection[str]]) -> Check:
    """Makes a check for one of the names in the current server state."""

    def check(key: str, value: Any, state: ServerState) -> str:
        return make_choice_check(*names(state))(key, value, state)

    return check


def make_pattern_check(
    form: re.Pattern[str], expected: str, optional: bool = False, longest: int = 255
) -> Check:
    """Makes a check for a text that matches a pattern and has no two adjacent dots."""

    def check(key: str, value: Any, state: ServerState) -> str | None:
        if optional and value in (None, ""):
            return value
        fits = isinstance(value, str) and len(value) <= longest and ".." not in value
        if not fits or not form.fullmatch(value):
            raise Refusal(key, f"{expected}, not {shorten(value)}")
        return value

    return check


def make_secret_check(longest: int, expected: str, *, printable: bool = False) -> Check:
    """Makes a check for a text that no message shows."""

    def check(key: str, value: Any, state: ServerState) -> str:
        fits = isinstance(value, str) and 0 < len(value) <= longest
        if not fits or (printable and not value.isprintable()):
            raise Refusal(key, expected)
        return value

    return check


def check_group(checks: Mapping[str, Check], values: Any, state: ServerState, key: str) -> dict[str, Any]:
    """Checks the values of a JSON object, each by its key.

    Args:
        checks: the check of each accepted key.
        values: the values from the client.
        state: state of the server.
        key: name of the object, for messages.

    Raises:
        Refusal: a key or a value is invalid.
    """
    if not isinstance(values, dict):
        raise Refusal(key, f"an object with keys, not {shorten(values)}")
    for entry in values:
        if entry not in checks:
            accepted = ", ".join(checks) or "none"
            raise Refusal(entry, f"the request does not accept this key; it accepts {accepted}")
    return {entry: checks[entry](entry, value, state) for entry, value in values.items()}


def make_query_check(check: Check) -> Check:
    """Makes the check for a query, where numbers and booleans are texts; it returns a text."""

    def read(key: str, value: Any, state: ServerState) -> str:
        plain: Any = value
        if re.fullmatch(r"-?[0-9]{1,15}", value):
            plain = int(value)
        if check is check_boolean and value.lower() in YES + NO:
            plain = value.lower() in YES
        plain = check(key, plain, state)
        return str(plain).lower() if isinstance(plain, bool) else str(plain)

    return read
