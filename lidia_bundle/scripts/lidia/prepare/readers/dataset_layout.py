"""Defines the input of every reader: folder, name mappings, and access to files and tables."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_text_file import read_text
from scripts.lidia.dicom.file_account import Account
from scripts.lidia.prepare.foreign_names import map_class, map_phase, normalize_name
from scripts.lidia.prepare.readers.label_table import DatasetTerms


class Layout(NamedTuple):
    """A folder, the user's mappings for it, and the terms of its data set."""

    root: Path
    phase_map: Mapping[str, str]
    class_map: Mapping[str, str]
    masks: Mapping[str, str]
    terms: DatasetTerms
    account: Account

    @property
    def phases(self) -> dict[str, str]:
        """Phase by term: those of the data set, overridden by the user's."""
        return {**self.terms.phases, **self.phase_map}

    @property
    def classes(self) -> dict[str, str]:
        """Class by term, as far as the data set or the user defines it."""
        return {**{word: kind for word, kind in self.terms.classes.items() if kind}, **self.class_map}

    def to_phase(self, name: str, file: Path | str) -> str:
        """Maps a name to a phase, by the user's mapping, the data set's terms, or common synonyms.

        Raises:
            CaseError: if the name is unknown.
        """
        return map_phase(name, self.phases, str(file))

    def to_class(self, name: str, file: Path | str) -> int:
        """Maps a name to a class, by the user's mapping, the data set's terms, or common synonyms.

        Raises:
            CaseError: if the name is unknown, or the data set does not define its type.
        """
        return map_class(name, self.classes, str(file))

    def is_malignant(self, name: str) -> bool | None:
        """Whether lesions of this name are malignant; None if the data set does not define it."""
        malignant = {normalize_name(word): value for word, value in self.terms.malignant.items()}
        return malignant.get(normalize_name(name))

    def map_values(self, file: Path | str) -> dict[int, int]:
        """Returns the class of each value of the label maps.

        Raises:
            CaseError: if neither the data set nor the user defines the class of a value.
        """
        rest = range(1, 256) if self.terms.organs else ()
        class_of_value = {value: self.to_class(name, file) for value, name in self.terms.values.items()}
        return {**dict.fromkeys(rest, 0), **class_of_value}

    def read_table(self, pattern: str, columns: Sequence[str]) -> tuple[Path, list[dict[str, str]]]:
        """Finds the first table of the folder that has the columns, and reads its rows.

        Raises:
            CaseError: if there is no such table.
        """
        for path in sorted(self.root.glob(pattern)):
            with StringIO(read_text(path), newline="") as file:
                rows = csv.DictReader(file)
                if set(columns) <= set(rows.fieldnames or ()):
                    return path, [{k: (v or "").strip() for k, v in row.items() if k} for row in rows]
        problem = f"no table {pattern} with the columns {', '.join(columns)}"
        raise CaseError("datalist", str(self.root), problem, "give the folder that holds it", "missing")

    def require_any(self, matches: Sequence[object], description: str) -> None:
        """Checks that the reader found files.

        Raises:
            CaseError: if it found none.
        """
        if not matches:
            problem = f"no {description} in the folder"
            raise CaseError("datalist", str(self.root), problem, "check --input_dir and --source", "missing")
