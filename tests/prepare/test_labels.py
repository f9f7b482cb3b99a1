"""The page on data sets has the table of terms and every data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.lidia.prepare.prepare_data import SOURCES
from scripts.lidia.prepare.readers import DATASET_TERMS, RAW, READERS, REFUSED
from scripts.lidia.prepare.readers.label_table import UNSPECIFIED, DatasetTerms
from scripts.lidia.vocabulary import CLASSES, PHASES

SETS = [source for source in DATASET_TERMS if source not in ("folder", "nnunet")]
SIDES = {True: " (malignant)", False: " (benign)"}


def row(source: str, text: DatasetTerms) -> str:
    """A line of the page's table: the set's words for each of ours."""
    phases: dict[str, list[str]] = {}
    for word, phase in text.phases.items():
        phases.setdefault(phase, []).append(word)
    numbers = {name: value for value, name in text.values.items()}
    classes: dict[str, list[str]] = {}
    for word, kind in text.classes.items():
        number = f" ({numbers[word]})" if word in numbers else ""
        side = SIDES.get(text.malignant.get(word), "")
        classes.setdefault((kind or "*you say*") + side, []).append(word + number)
    columns = [
        "; ".join(f"{ours}: {', '.join(theirs)}" for ours, theirs in part.items())
        for part in (phases, classes)
    ]
    return f"| `{source}` | {columns[0]} | {columns[1]} | {text.annotated} |"


@pytest.mark.parametrize("source", SETS)
def test_the_page_prints_the_table(source: str, bundle: Path) -> None:
    page = (bundle / "docs/datasets.md").read_text(encoding="utf-8")
    assert row(source, DATASET_TERMS[source]) in page, row(source, DATASET_TERMS[source])


def test_the_page_has_every_data_set(bundle: Path) -> None:
    page = (bundle / "docs/datasets.md").read_text(encoding="utf-8")
    for source in (*READERS, *RAW, *REFUSED):
        assert f"`{source}`" in page, source
    assert set(DATASET_TERMS) == {*READERS, *RAW, "nnunet"} and set(REFUSED).isdisjoint(SOURCES)


def test_every_word_maps_to_one_class() -> None:
    for text in DATASET_TERMS.values():
        assert set(text.phases.values()) <= set(PHASES)
        assert set(text.classes.values()) <= {*CLASSES, UNSPECIFIED}
        assert set(text.malignant) <= {word for word, kind in text.classes.items() if kind == "others"}
        assert set(text.values.values()) <= set(text.classes)
