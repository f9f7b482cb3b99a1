"""What every reader is given, and how it looks for files and tables."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_text_file import read_text
from scripts.lidia.dicom.file_account import Account
from scripts.lidia.prepare.foreign_names import class_of, normalize_name, phase_of
from scripts.lidia.prepare.readers.label_table import Words


class Layout(NamedTuple):
    """A folder, what the user says of it, and the words of its data set."""

    root: Path
    phase_map: Mapping[str, str]
    class_map: Mapping[str, str]
    masks: Mapping[str, str]
    words: Words
    account: Account

    @property
    def phases(self) -> dict[str, str]:
        """Phase of each word: the data set's, then the user's over it."""
        return {**self.words.phases, **self.phase_map}

    @property
    def classes(self) -> dict[str, str]:
        """Class of each word that the data set or the user says."""
        return {**{word: kind for word, kind in self.words.classes.items() if kind}, **self.class_map}

    def phase(self, name: str, file: Path | str) -> str:
        """Which phase a name means: by the user's word, the data set's own, or ours.

        Raises:
            CaseError: if the name is unknown.
        """
        return phase_of(name, self.phases, str(file))

    def kind(self, name: str, file: Path | str) -> int:
        """Which class a name means: by the user's word, the data set's own, or ours.

        Raises:
            CaseError: if the name is unknown, or the data set does not say what it is.
        """
        return class_of(name, self.classes, str(file))

    def side(self, name: str) -> bool | None:
        """Whether lesions called so are malignant; None if the data set does not say."""
        return next(
            (s for word, s in self.words.malignant.items() if normalize_name(word) == normalize_name(name)),
            None,
        )

    def values(self, file: Path | str) -> dict[int, int]:
        """Our class of each value of the label maps.

        Raises:
            CaseError: if the data set does not say what a value is, and neither does the user.
        """
        rest = range(1, 256) if self.words.organs else ()
        named = {value: self.kind(name, file) for value, name in self.words.values.items()}
        return {**dict.fromkeys(rest, 0), **named}

    def table(self, pattern: str, columns: Sequence[str]) -> tuple[Path, list[dict[str, str]]]:
        """The first table of the folder that has the columns, and its rows.

        Args:
            pattern: of the file's name, e.g. "*.csv".
            columns: names of columns that it must have.

        Raises:
            CaseError: if there is no such table.
        """
        for path in sorted(self.root.glob(pattern)):
            with StringIO(read_text(path), newline="") as file:
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
