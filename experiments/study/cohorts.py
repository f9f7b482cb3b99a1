"""Read the two cohorts of a study from their datalists."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

COHORTS = ("internal", "external")


class Cohort(NamedTuple):
    """A written cohort."""

    folder: str
    recipe: str | None
    """Fingerprint of the phantom; None for other data."""
    digest: str
    """Hash of recipe and ids; rows of two studies are comparable only if it agrees."""
    counts: dict[str, int]
    """Patients per section."""


def read_cohort(folder: str) -> Cohort:
    """Read the description of a cohort.

    Args:
        folder: with `dataset.json`.

    Raises:
        FileNotFoundError: there is no `dataset.json`.
    """
    path = Path(folder) / "dataset.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there: write the cohort with phantom.json first (make study)."
        )
    content = json.loads(path.read_text(encoding="utf-8"))
    lists = {name: items for name, items in content.items() if isinstance(items, list)}
    identity: dict[str, Any] = {key: content.get(key) for key in ("recipe", "cohort", "seed", "breathing")}
    identity["ids"] = {name: [item.get("id") for item in items] for name, items in lists.items()}
    return Cohort(
        folder,
        content.get("recipe"),
        hash_content(identity),
        {name: len(items) for name, items in lists.items()},
    )


def hash_content(content: Any) -> str:
    """Compute the SHA-256 of JSON content, its first 16 digits."""
    text = json.dumps(content, sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()[:16]
