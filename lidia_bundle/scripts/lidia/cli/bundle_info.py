"""Describes this installation: version, folders, weights and packages."""

from __future__ import annotations

import json
import platform
import sys
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

BUNDLE = Path(__file__).resolve().parents[3]


def read_version() -> str:
    """Reads the version of the bundle."""
    return str(_read_metadata()["version"])


def describe_bundle() -> dict[str, Any]:
    """Describes the bundle and the environment; nothing heavy is imported.

    Returns:
        `name`, `version`, `path` (the bundle's folder, which `monai.bundle` accepts), `configs`, `docs`,
        `weights` (`path`, `sha256`), `python`, `platform`, and `packages`: for each the installed version and
        the one that the bundle was tested with.
    """
    metadata = _read_metadata()
    weights = BUNDLE / "models/model.pt"
    tested = {
        "torch": metadata["pytorch_version"],
        "monai": metadata["monai_version"],
        "numpy": metadata["numpy_version"],
        **metadata["required_packages_version"],
    }
    return {
        "name": metadata["name"],
        "version": metadata["version"],
        "path": str(BUNDLE),
        "configs": str(BUNDLE / "configs"),
        "docs": str(BUNDLE / "docs"),
        "weights": {
            "path": str(weights),
            "sha256": sha256(weights.read_bytes()).hexdigest() if weights.is_file() else None,
        },
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {
            name: {"installed": _find_version(name), "tested": number} for name, number in tested.items()
        },
    }


def print_info(*, json: bool = False) -> None:
    """Prints the description of this installation.

    Args:
        json: prints JSON for programs.
    """
    content = describe_bundle()
    sys.stdout.write((_format_json(content) if json else _format_text(content)) + "\n")


def _format_json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1)


def _format_text(content: dict[str, Any]) -> str:
    packages = [
        f"  {name:26} {entry['installed'] or 'not installed':16} tested with {entry['tested']}"
        for name, entry in content["packages"].items()
    ]
    return "\n".join([
        f"{content['name']} {content['version']}",
        f"bundle   {content['path']}",
        f"configs  {content['configs']}",
        f"docs     {content['docs']}",
        f"weights  {content['weights']['path']}",
        f"         SHA-256 {content['weights']['sha256'] or 'none: the file is missing'}",
        f"python   {content['python']} on {content['platform']}",
        "packages",
        *packages,
    ])


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _read_metadata() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((BUNDLE / "configs/metadata.json").read_text(encoding="utf-8"))
    return content
