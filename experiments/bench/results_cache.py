"""Finished rows on disk: a run that was stopped goes on behind them; other code does not find them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from experiments.bench.benchmark_row import BenchmarkRow, read_row
from scripts.lidia.atomic import write_json


class ResultsCache:
    """Finished rows of one machine, source and choice of rounds.

    Args:
        folder: where they are kept.
        about: all that a figure depends on beside a row's own options.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self.folder, self.about = folder, dict(about)

    def get(self, name: str, options: Mapping[str, Any]) -> dict[str, BenchmarkRow] | None:
        """Lines of a row that was finished with these options; None where it was not."""
        path = self.folder / f"{name}.json"
        told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if told.get("key") != self._key(options):
            return None
        return {row: read_row(one) for row, one in told["lines"].items()}

    def put(self, name: str, options: Mapping[str, Any], lines: Mapping[str, BenchmarkRow]) -> None:
        """Keeps a finished row."""
        told = {"key": self._key(options), "lines": {row: one.as_dict() for row, one in lines.items()}}
        write_json(self.folder / f"{name}.json", told)

    def _key(self, options: Mapping[str, Any]) -> str:
        words = json.dumps([self.about, dict(options)], sort_keys=True)
        return sha256(words.encode()).hexdigest()[:16]


def read_previous(folder: Path, docs: Path, source: str, previous: str | None) -> dict[str, Any]:
    """The `performance.json` to compare with: `previous`, else the one that stood before this source.

    Raises:
        FileNotFoundError: `previous` is not there.
    """
    if previous:
        return json.loads(Path(previous).read_text(encoding="utf-8"))
    kept, last = folder / "before.json", docs / "performance.json"
    told = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    if told.get("source") != source:
        rows = json.loads(last.read_text(encoding="utf-8")) if last.is_file() else {}
        told = {"source": source, "rows": rows}
        write_json(kept, told)
    return told["rows"]
