"""Cache of finished rows, keyed by options, machine and source hash: an interrupted benchmark resumes."""

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
        about: everything else that a figure depends on: machine, threads, source hash.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self.folder, self.about = folder, dict(about)

    def get(self, name: str, options: Mapping[str, Any]) -> dict[str, BenchmarkRow] | None:
        """Return the lines of a row that was finished with these options; None if it was not."""
        path = self.folder / f"{name}.json"
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if record.get("key") != self._key(options):
            return None
        return {row: read_row(content) for row, content in record["lines"].items()}

    def put(self, name: str, options: Mapping[str, Any], lines: Mapping[str, BenchmarkRow]) -> None:
        """Store the lines of a finished row."""
        record = {"key": self._key(options), "lines": {row: line.as_dict() for row, line in lines.items()}}
        write_json(self.folder / f"{name}.json", record)

    def _key(self, options: Mapping[str, Any]) -> str:
        text = json.dumps([self.about, dict(options)], sort_keys=True)
        return sha256(text.encode()).hexdigest()[:16]


def read_previous(folder: Path, docs: Path, source: str, previous: str | None) -> dict[str, Any]:
    """Read the `performance.json` to compare with: `previous`, else the last one of another source.

    Raises:
        FileNotFoundError: `previous` does not exist.
    """
    if previous:
        return json.loads(Path(previous).read_text(encoding="utf-8"))
    stored, published = folder / "before.json", docs / "performance.json"
    record = json.loads(stored.read_text(encoding="utf-8")) if stored.is_file() else {}
    if record.get("source") != source:
        rows = json.loads(published.read_text(encoding="utf-8")) if published.is_file() else {}
        record = {"source": source, "rows": rows}
        write_json(stored, record)
    return record["rows"]
