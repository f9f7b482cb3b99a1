"""Prints, as a vulture whitelist, every name that a config reaches: `_target_`, `$` expressions and keywords.

Vulture sees Python alone, and most of the bundle is called from JSON. `make lint` runs this before it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from keyword import iskeyword
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "lidia_bundle/configs"
EXPERIMENTS = ROOT / "experiments/configs"


def config_files() -> list[Path]:
    """Every config and overlay of the bundle and of the experiments."""
    result = [*CONFIGS.rglob("*"), *EXPERIMENTS.rglob("*")]
    return sorted(path for path in result if path.suffix in (".json", ".yaml"))


def read(path: Path) -> Any:
    """Content of one config, JSON or YAML (a JSON file is YAML too)."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of everything that is neither a dict nor a list."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from leaves(value, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from leaves(value, f"{key}.{index}")
    else:
        yield key, node


def names(node: Any) -> set[str]:
    """Identifiers that a config's values mention: dotted paths of targets and words of expressions."""
    collected: set[str] = set()
    for key, value in leaves(node):
        collected.update(re.findall(r"[A-Za-z_]\w*", key))
        if isinstance(value, str) and (value.startswith("$") or key.endswith("_target_")):
            collected.update(re.findall(r"[A-Za-z_]\w*", value))
    return collected


if __name__ == "__main__":
    reached = set().union(*(names(read(path)) for path in config_files())) if config_files() else set()
    for name in sorted(name for name in reached if name.isidentifier() and not iskeyword(name)):
        sys.stdout.write(f"_.{name}\n")
