"""Keys that no config answers: a typing error would be taken in silence, and the job run on defaults."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from monai.bundle import ConfigComponent, ConfigParser
from monai.bundle.utils import DEFAULT_MLFLOW_SETTINGS

from scripts.lidia.options.option_sources import RUN

SEP = "::"
TRACKING = frozenset(DEFAULT_MLFLOW_SETTINGS["configs"])
"""Keys that MONAI's `tracking` and its federated clients add."""
REFERENCE = re.compile(r"@(\w+(?:::\w+)*)")


def unknown_keys(parser: ConfigParser, base: dict[str, Any], allowed: Sequence[str]) -> list[tuple[str, str]]:
    """Finds keys of a workflow's config that nothing uses.

    A key is known if the bundle's own configs have it, if the config refers to it by `@`, if it begins with
    `_`, if the component that it is an argument of accepts it, or if it is inside of a block that is data.

    Args:
        parser: the workflow's.
        base: merged content of the bundle's own configs.
        allowed: further names, such as run ids.

    Returns:
        The keys, levels joined by `#`, each with the nearest known one ("" for none).
    """
    config = parser.get()
    used = set(_references(config))
    found = []
    for path in _added(config, base, ()):
        near = _near(path, parser, base, used, allowed)
        if near is not None:
            found.append(("#".join(path), near))
    return found


def _added(config: Any, base: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Paths of keys that `config` has and `base` has not, as far as both are the same kind of block."""
    if isinstance(config, dict) and isinstance(base, dict):
        if config.get("_target_") != base.get("_target_"):
            return
        for key, value in config.items():
            if key not in base:
                yield (*path, str(key))
            else:
                yield from _added(value, base[key], (*path, str(key)))
    elif isinstance(config, list) and isinstance(base, list):
        for number, (value, known) in enumerate(zip(config, base, strict=False)):
            if isinstance(value, dict) and "_target_" in value:
                yield from _added(value, known, (*path, str(number)))


def _near(
    path: tuple[str, ...], parser: ConfigParser, base: Any, used: set[str], allowed: Sequence[str]
) -> str | None:
    """The known key nearest to an unknown one, "" if there is none; None if the key is known."""
    key, place = path[-1], SEP.join(path)
    if key.startswith("_") or any(name == place or name.startswith(place + SEP) for name in used):
        return None
    if len(path) == 1:
        if key in RUN | TRACKING or key in allowed:
            return None
        return nearest(key, [*base, *sorted(RUN), *allowed])
    above = [path[:length] for length in range(1, len(path))]
    if any(SEP.join(part) in used for part in above[:-1]):
        return None
    blocks = [parser[SEP.join(part)] for part in above]
    if isinstance(blocks[-1], dict) and "_target_" in blocks[-1]:
        accepted = _parameters(blocks[-1], parser)
        return None if accepted is None or key in accepted else nearest(key, accepted)
    data = any(isinstance(block, dict) and "_target_" in block for block in blocks)
    if data or SEP.join(above[-1]) in used:
        return None
    return nearest(key, [name for name in blocks[-1] if name != key])


def _parameters(component: dict[str, Any], parser: ConfigParser) -> list[str] | None:
    """Names that a component accepts; None if it accepts all, or cannot be looked into."""
    target = {"_target_": component["_target_"], "_mode_": "callable"}
    try:
        called = ConfigComponent(target, locator=parser.locator).instantiate()
        parameters = inspect.signature(called).parameters.values()
    except Exception:  # MONAI says what is wrong when it makes the component
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return [parameter.name for parameter in parameters]


def _references(config: Any) -> Iterator[str]:
    if isinstance(config, str) and config[:1] in ("@", "$"):
        yield from REFERENCE.findall(config.replace("#", SEP))
    elif isinstance(config, dict | list):
        for part in config.values() if isinstance(config, dict) else config:
            yield from _references(part)


def nearest(name: str, names: Sequence[str]) -> str:
    """The name that is nearest to another one, whatever its case, its `-` and `_`; "" if none is near.

    Args:
        name: what was typed.
        names: to choose from.
    """
    plain = {re.sub(r"[\W_]", "", known).lower(): known for known in reversed(names)}
    found = get_close_matches(re.sub(r"[\W_]", "", name).lower(), plain, n=1, cutoff=0.6)
    return plain[found[0]] if found else ""
