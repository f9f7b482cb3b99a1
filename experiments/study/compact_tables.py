"""Tables of an evaluation made small for keeping: fewer digits, gzip with the same bytes every time."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

from scripts.lidia.atomic import write_atomically, write_json

DIGITS = {"patients.csv": 6, "lesions.csv": 4}
"""Significant digits that are kept."""


def compress_table(source: Path, folder: Path) -> Path:
    """Writes a CSV file of an evaluation as `NAME.csv.gz` into `folder`.

    Args:
        source: `patients.csv` or `lesions.csv`.
        folder: where to.

    Returns:
        The new file.
    """
    digits = DIGITS[source.name]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with source.open(newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            # The first column is the patient's id, which may look like a number
            writer.writerow([*row[:1], *(_shorten_number(cell, digits) for cell in row[1:])])
    target = folder / f"{source.name}.gz"
    with write_atomically(target) as beside:
        beside.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))
    return target


def read_table(folder: Path, name: str) -> list[dict[str, str]]:
    """Rows of `NAME` or `NAME.gz` in `folder`, whichever is there.

    Raises:
        FileNotFoundError: neither is.
    """
    kept, whole = folder / f"{name}.gz", folder / name
    if kept.is_file():
        text = gzip.decompress(kept.read_bytes()).decode()
    elif whole.is_file():
        text = whole.read_text(encoding="utf-8")
    else:
        raise FileNotFoundError(f"{whole} is not there: the evaluation is not finished; run the study again.")
    return list(csv.DictReader(io.StringIO(text)))


def copy_json(source: Path, folder: Path) -> None:
    """Writes a JSON file into `folder` without blanks, numbers with six digits."""
    text = source.read_text(encoding="utf-8")
    write_json(folder / source.name, json.loads(text, parse_float=_round_to_six_digits), indent=None)


def _round_to_six_digits(word: str) -> float:
    return float(f"{float(word):.6g}")


def _shorten_number(cell: str, digits: int) -> str:
    try:
        return f"{float(cell):.{digits}g}"
    except ValueError:
        return cell
