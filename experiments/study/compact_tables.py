"""Compress the tables of an evaluation: fewer digits, gzip with reproducible bytes."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

from scripts.lidia.atomic import write_atomically, write_json

DIGITS = {"patients.csv": 6, "lesions.csv": 4}
"""Significant digits per table."""


def compress_table(source: Path, folder: Path) -> Path:
    """Write a CSV file of an evaluation as `NAME.csv.gz` into `folder`.

    Args:
        source: `patients.csv` or `lesions.csv`.
        folder: output folder.

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
    with write_atomically(target) as temporary:
        temporary.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))
    return target


def read_table(folder: Path, name: str) -> list[dict[str, str]]:
    """Read the rows of `NAME.gz` or `NAME` in `folder`.

    Raises:
        FileNotFoundError: neither exists.
    """
    compressed, plain = folder / f"{name}.gz", folder / name
    if compressed.is_file():
        text = gzip.decompress(compressed.read_bytes()).decode()
    elif plain.is_file():
        text = plain.read_text(encoding="utf-8")
    else:
        raise FileNotFoundError(f"{plain} is not there: the evaluation is not finished; run the study again.")
    return list(csv.DictReader(io.StringIO(text)))


def copy_json(source: Path, folder: Path) -> None:
    """Write a JSON file into `folder` without indentation, numbers with six digits."""
    text = source.read_text(encoding="utf-8")
    write_json(folder / source.name, json.loads(text, parse_float=_round_to_six_digits), indent=None)


def _round_to_six_digits(word: str) -> float:
    return float(f"{float(word):.6g}")


def _shorten_number(cell: str, digits: int) -> str:
    try:
        return f"{float(cell):.{digits}g}"
    except ValueError:
        return cell
