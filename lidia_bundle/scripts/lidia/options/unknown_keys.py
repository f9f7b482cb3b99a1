"""Finds config keys that nothing uses, such as misspelt options, which MONAI would ignore silently."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any

from monai.bundle import ConfigComponent, ConfigParser
from monai.bundle.utils import DEFAULT_MLFLOW_SETTINGS

from scripts.lidia.options.nearest_name import find_nearest
from scripts.lidia.options.option_sources import RUN_PARAMETERS

SEPARATOR = "::"
TRACKING = frozenset(DEFAULT_MLFLOW_SETTINGS["configs"])
"""Keys that MONAI's `tracking` and its federated clients add."""
REFERENCE = re.compile(r"@(\w+(?:::\w+)*)")


def find_unknown_keys(
    parser: ConfigParser, base: dict[str, Any], allowed: Sequence[str]
) -> list[tuple[str, str]]:
    """Finds keys of a workflow's config that nothing uses.

    A key is used if the bundle's own configs have it, if the config refers to it by `@`, if it begins with
    `_`, if the component that it is an argument of accepts it, or if it is inside a block of plain data.

    Args:
        parser: parser of the workflow.
        base: merged content of the bundle's own configs.
        allowed: further valid names, such as run ids.

    Returns:
        The keys, levels joined by `#`, each with the most similar valid key ("" for none).
    """
    config = parser.get()
    used = set(_find_references(config))
    unknown = []
    for path in _find_added(config, base, ()):
        suggestion = _suggest(path, parser, base, used, allowed)
        if suggestion is not None:
            unknown.append(("#".join(path), suggestion))
    return unknown


def _find_added(config: Any, base: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yields paths of keys that only `config` has, where both have the same kind of block."""
    if isinstance(config, dict) and isinstance(base, dict):
        if config.get("_target_") != base.get("_target_"):
            return
        for key, value in config.items():
            if key not in base:
                yield (*path, str(key))
            else:
                yield from _find_added(value, base[key], (*path, str(key)))
    elif isinstance(config, list) and isinstance(base, list):
        for number, (value, base_value) in enumerate(zip(config, base, strict=False)):
            if isinstance(value, dict) and "_target_" in value:
                yield from _find_added(value, base_value, (*path, str(number)))


def _suggest(
    path: tuple[str, ...], parser: ConfigParser, base: Any, used: set[str], allowed: Sequence[str]
) -> str | None:
    """Returns the valid key most similar to an unknown one, "" if there is none; None for a valid key."""
    key, place = path[-1], SEPARATOR.join(path)
    if key.startswith("_") or any(name == place or name.startswith(place + SEPARATOR) for name in used):
        return None
    if len(path) == 1:
        if key in RUN_PARAMETERS | TRACKING or key in allowed:
            return None
        return find_nearest(key, [*base, *sorted(RUN_PARAMETERS), *allowed])
    above = [path[:length] for length in range(1, len(path))]
    if any(SEPARATOR.join(part) in used for part in above[:-1]):
        return None
    blocks = [parser[SEPARATOR.join(part)] for part in above]
    if isinstance(blocks[-1], dict) and "_target_" in blocks[-1]:
        accepted = _list_parameters(blocks[-1], parser)
        return None if accepted is None or key in accepted else find_nearest(key, accepted)
    data = any(isinstance(block, dict) and "_target_" in block for block in blocks)
    if data or SEPARATOR.join(above[-1]) in used:
        return None
    return find_nearest(key, [name for name in blocks[-1] if name != key])


def _list_parameters(component: dict[str, Any], parser: ConfigParser) -> list[str] | None:
    """Returns the parameter names of a component; None if it accepts all, or cannot be inspected."""
    target = {"_target_": component["_target_"], "_mode_": "callable"}
    try:
        called = ConfigComponent(target, locator=parser.locator).instantiate()
        parameters = inspect.signature(called).parameters.values()
    except Exception:  # MONAI reports the error when it creates the component
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return [parameter.name for parameter in parameters]


def _find_references(config: Any) -> Iterator[str]:
    if isinstance(config, str) and config[:1] in ("@", "$"):
        yield from REFERENCE.findall(config.replace("#", SEPARATOR))
    elif isinstance(config, dict | list):
        for part in config.values() if isinstance(config, dict) else config:
            yield from _find_references(part)
