"""Types of the values that clients of the label server send; a value of no type is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

YES, NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class Refusal(ValueError):
    """A request that is not answered.

    Args:
        key: the key, parameter, field or file at fault.
        problem: what is wrong with it, and what is taken instead.
        status: of HTTP.
    """

    def __init__(self, key: str, problem: str, status: int = 422) -> None:
        super().__init__(key, problem, status)
        self.key, self.problem, self.status = key, problem, status

    def __str__(self) -> str:
        plain = self.key.replace("-", "_").isidentifier() and len(self.key) <= 60
        return f"{self.key if plain else brief(self.key)}: {self.problem}"


@dataclass(frozen=True)
class Offer:
    """What a running server has at the moment.

    Args:
        models: names of the models that infer.
        trainers: names of the models that train.
        strategies: names of the strategies of active learning.
        methods: names of the scoring methods.
        devices: PyTorch's name of each device, by the names that a client may give it.
        gpus: number of GPUs.
        weights: names of the files of weights.
        has_image: whether the datastore has an image of this name.
        has_session: whether there is a session of this id.
        dicomweb: the datastore is a DICOMweb server.
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


Check = Callable[[str, Any, Offer], Any]
"""Takes a key, its value and the offer; gives the value to be used.

Raises:
    Refusal: the value is none of this type.
"""


Checks = dict[str, Check]
"""The type of each key."""


def brief(value: Any) -> str:
    """A value for a message: short, and without control characters."""
    if isinstance(value, str):
        return ascii(value if len(value) <= 60 else f"{value[:60]}..")
    if isinstance(value, list | dict):
        return f"a {'list' if isinstance(value, list) else 'group'} of {len(value)}"
    return ascii(value)[:40]


def boolean(key: str, value: Any, offer: Offer) -> bool:
    """True or false.

    Raises:
        Refusal: the value is something else.
    """
    if not isinstance(value, bool):
        raise Refusal(key, f"true or false, not {brief(value)}")
    return value


def number(low: float, high: float) -> Check:
    """A finite number within bounds."""

    def check(key: str, value: Any, offer: Offer) -> float:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if not plain or not low <= value <= high or not math.isfinite(value):
            raise Refusal(key, f"a number from {low:g} to {high:g}, not {brief(value)}")
        return float(value)

    return check


def whole(low: int, high: int) -> Check:
    """A whole number within bounds."""

    def check(key: str, value: Any, offer: Offer) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise Refusal(key, f"a whole number from {low} to {high}, not {brief(value)}")
        return value

    return check


def choice(*names: str) -> Check:
    """One of a closed list of texts."""

    def check(key: str, value: Any, offer: Offer) -> str:
        if not isinstance(value, str) or value not in names:
            wanted = ", ".join(name or "nothing" for name in names)
            raise Refusal(key, f"one of {wanted}, not {brief(value)}")
        return value

    return check


def offered(names: Callable[[Offer], Collection[str]]) -> Check:
    """One of the names that the server has at the moment."""

    def check(key: str, value: Any, offer: Offer) -> str:
        return choice(*names(offer))(key, value, offer)

    return check


def pattern(form: re.Pattern[str], wanted: str, optional: bool = False, longest: int = 255) -> Check:
    """A text of a pattern, without two dots side by side."""

    def check(key: str, value: Any, offer: Offer) -> str | None:
        if optional and value in (None, ""):
            return value
        fits = isinstance(value, str) and len(value) <= longest and ".." not in value
        if not fits or not form.fullmatch(value):
            raise Refusal(key, f"{wanted}, not {brief(value)}")
        return value

    return check


def group(checks: Mapping[str, Check], values: Any, offer: Offer, key: str) -> dict[str, Any]:
    """Checks the values of an object of JSON, each by its key.

    Args:
        checks: the type of each key that is taken.
        values: what the client has sent.
        offer: what the server has.
        key: where it stood, for messages.

    Raises:
        Refusal: a key or a value is not taken.
    """
    if not isinstance(values, dict):
        raise Refusal(key, f"an object with keys, not {brief(values)}")
    for entry in values:
        if entry not in checks:
            wanted = ", ".join(checks) or "none"
            raise Refusal(entry, f"this request takes no such key; it takes {wanted}")
    return {entry: checks[entry](entry, value, offer) for entry, value in values.items()}


def from_text(check: Check) -> Check:
    """The same type for a query, where numbers and booleans are texts; gives its text."""

    def read(key: str, value: Any, offer: Offer) -> str:
        plain: Any = value
        if re.fullmatch(r"-?[0-9]{1,15}", value):
            plain = int(value)
        if check is boolean and value.lower() in YES + NO:
            plain = value.lower() in YES
        plain = check(key, plain, offer)
        return str(plain).lower() if isinstance(plain, bool) else str(plain)

    return read
