"""The documented architecture is that of the shipped config."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def test_the_documented_hash_is_that_of_the_network(bundle: Path) -> None:
    network_def = json.loads((bundle / "configs/train.json").read_text())["network_def"]
    content = {key: value for key, value in network_def.items() if not key.startswith("_")}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    assert digest[:16] in (bundle / "docs/training.md").read_text(encoding="utf-8")
