"""The defaults in code equal the shipped recipe."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from monai.bundle import ConfigParser
from monai.utils import optional_import

CONFIGS = Path(__file__).parents[1] / "lidia_bundle/configs"
ENTRIES = ("train", "evaluate", "inference")
FOLDERS = ("dataset_dir", "output_dir", "cache_dir")
"""Arguments that name a place on the user's disk."""


def list_components(node: Any) -> Iterator[dict[str, Any]]:
    """Yields every block with a `_target_` of this bundle."""
    if isinstance(node, dict):
        if str(node.get("_target_", "")).startswith("scripts.lidia."):
            yield node
        for value in node.values():
            yield from list_components(value)
    elif isinstance(node, list):
        for value in node:
            yield from list_components(value)


def resolve(value: Any, parser: ConfigParser) -> Any:
    """Follows references to a literal; None stands for an expression or an object."""
    while isinstance(value, str) and value.startswith("@") and value[1:] in parser:
        value = parser[value[1:]]
    return value


def is_literal(value: Any) -> bool:
    if isinstance(value, dict):
        return "_target_" not in value and all(is_literal(part) for part in value.values())
    if isinstance(value, list):
        return all(is_literal(part) for part in value)
    return not (isinstance(value, str) and value[:1] in ("@", "$", "%"))


def locate(target: str) -> Any:
    module, _, name = target.rpartition(".")
    component, result = optional_import(module, name=name)
    if result:
        return component
    module, _, owner = module.rpartition(".")
    return getattr(optional_import(module, name=owner)[0], name)


def collect_values() -> dict[tuple[str, str], list[Any]]:
    """Collects the values of each (target, argument) in the three configs; the default where none is set."""
    values: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for entry in ENTRIES:
        parser = ConfigParser()
        parser.read_config(CONFIGS / f"{entry}.json")
        for block in list_components(parser.get()):
            for name, parameter in inspect.signature(locate(block["_target_"])).parameters.items():
                if parameter.default is inspect.Parameter.empty or name in FOLDERS:
                    continue
                value = resolve(block.get(name, parameter.default), parser)
                if is_literal(value):
                    values[block["_target_"], name].append(value)
    return values


VALUES = collect_values()


@pytest.mark.parametrize(("target", "name"), VALUES, ids=lambda part: part.split(".")[-1])
def test_a_default_is_a_value_of_the_recipe(target: str, name: str) -> None:
    default = inspect.signature(locate(target)).parameters[name].default
    default = list(default) if isinstance(default, tuple) else default
    values = [list(value) if isinstance(value, tuple) else value for value in VALUES[target, name]]
    assert default in values, f"{target}: {name} is {default} in code and {values} in the configs"


def test_the_numbers_of_the_recipe_are_among_them() -> None:
    checked = {(target.split(".")[-1], name) for target, name in VALUES}
    assert {("Criterion", "semantic_weight"), ("FocalLoss", "no_object"), ("build_lidia", "focus")} <= checked
