"""What every reader is given, and how it looks for files and tables."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lidia.datalist import CaseError
from scripts.lidia.prepare.names import class_of, phase_of


class Layout(NamedTuple):
    """A folder, and what the user says of it."""

    root: Path
    phase_map: Mapping[str, str]
    class_map: Mapping[str, str]
    masks: Mapping[str, str]

    def phase(self, name: str, usual: Mapping[str, str], file: Path | str) -> str:
        """Which phase a name means: by the user's word, the data set's own, or ours.

        Raises:
            CaseError: if the name is unknown.
        """
        return phase_of(name, {**usual, **self.phase_map}, str(file))

    def kind(self, name: str, usual: Mapping[str, str], file: Path | str) -> int:
        """Which class a name means: by the user's word, the data set's own, or ours.

        Raises:
            CaseError: if the name is unknown.
        """
        return class_of(name, {**usual, **self.class_map}, str(file))

    def table(self, pattern: str, columns: Sequence[str]) -> tuple[Path, list[dict[str, str]]]:
        """The first table of the folder that has the columns, and its rows.

        Args:
            pattern: of the file's name, e.g. "*.csv".
            columns: names of columns that it must have.

        Raises:
            CaseError: if there is no such table.
        """
        for path in sorted(self.root.glob(pattern)):
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file)
                if set(columns) <= set(rows.fieldnames or ()):
                    return path, [{k: (v or "").strip() for k, v in row.items() if k} for row in rows]
        problem = f"no table {pattern} with the columns {', '.join(columns)}"
        raise CaseError("datalist", str(self.root), problem, "name the folder that holds it", "missing")

    def some(self, found: Sequence[object], what: str) -> None:
        """Checks that anything was found.

        Raises:
            CaseError: if nothing was.
        """
        if not found:
            problem = f"no {what} in the folder"
            raise CaseError("datalist", str(self.root), problem, "check --input_dir and --source", "missing")
