"""Finds overlays that lack the overlay they build on, such as a recipe without its network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

KEY = "_needs_"


class MissingOverlay(NamedTuple):
    """An overlay that another one needs, and the value by which it is recognised."""

    recipe: str
    """Overlay that needs another one, such as `baselines/unet`."""
    overlay: str
    """Overlay that is missing, such as `networks/unet`."""
    key: str
    """Key of the config, levels joined by `#`."""
    expected: Any
    """Value of the missing overlay."""
    value: Any
    """Value of the config; None if the config does not have the key."""

    def __str__(self) -> str:
        recipe, overlay = (f"overlays/{name}.yaml" for name in (self.recipe, self.overlay))
        value = "not set" if self.value is None else self.value
        return (
            f"{recipe} needs {overlay}: {self.key} is {value} instead of {self.expected}. "
            f"Add {overlay} to --config_file, before {recipe}."
        )


def find_missing_overlays(config: dict[str, Any]) -> Iterator[MissingOverlay]:
    """Finds the needs of the overlays that the config does not fulfil.

    An overlay states a need in the list `_needs_`: its own name (`recipe`), the overlay that it builds on
    (`overlay`), and a key with the value that this overlay sets. A value that is an expression is not
    compared, because components do not exist yet.

    Args:
        config: merged content of a workflow.

    Yields:
        One entry for each pair of overlays.
    """
    reported = set()
    for need in config.get(KEY) or ():
        key = need["key"].replace("::", "#")
        value = _look_up(config, key)
        pair = need["recipe"], need["overlay"]
        is_expression = isinstance(value, str) and value[:1] in ("$", "@", "%")
        if value == need["value"] or is_expression or pair in reported:
            continue
        reported.add(pair)
        yield MissingOverlay(*pair, key, need["value"], value)


def _look_up(config: Any, key: str) -> Any:
    for name in key.split("#"):
        if not isinstance(config, dict) or name not in config:
            return None
        config = config[name]
    return config
