"""The page has the values of the files, needs no other file, and is complete or absent."""

from __future__ import annotations

import base64
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from torch.utils.tensorboard import SummaryWriter

from scripts.lidia.report.slice_choice import Plane, sample_plane
from scripts.lidia.report.write_report import write_report

VOID = {"meta", "img", "link", "br", "line", "polyline", "path", "circle", "input"}


class Shape(HTMLParser):
    """Remembers references and whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value for name, value in attrs if name in ("src", "href") and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="session")
def text(run: Path) -> str:
    """A page with every section."""
    with SummaryWriter(str(run / "train")) as log:
        for step in range(50):
            log.add_scalar("loss", 5.0 - step / 25, step)
    path = write_report(
        results_dir=run / "results",
        output_dir=run / "page",
        dataset_dir=run / "data",
        evaluation_dir=run / "evaluation",
        training_dir=run / "train",
    )
    return path.read_text(encoding="utf-8")


def test_the_report_is_one_complete_document(text: str) -> None:
    shape = Shape()
    shape.feed(text)
    assert shape.open == []
    pictures = [reference for reference in shape.references if not reference.startswith("#")]
    assert len(pictures) == 2
    assert all(reference.startswith("data:image/png;base64,") for reference in pictures)
    assert not re.search(r"https?://|@import|url\(", text)


def test_pictures_of_the_report_can_be_decoded(text: str) -> None:
    for data in re.findall(r"base64,([^\"]+)", text):
        assert base64.b64decode(data).startswith(b"\x89PNG")


def test_synthetic_data_is_labelled_as_synthetic(text: str) -> None:
    assert "synthetic" in text and "not for diagnosis" in text


def test_the_report_lists_the_patients(text: str) -> None:
    first, second = text.split("<article")[1:3]
    assert "truth: HCC, metastasis, cyst; LIDIA: HCC, hemangioma" in first
    assert "3 slices fewer" in first
    assert '<td>0.93</td><td><span class="truth">yes</span></td>' in first
    assert "not found" in first
    assert "absent: arterial, delayed" in second and "No lesion." in second


def test_the_report_has_the_cohort_and_the_training(text: str) -> None:
    row = '<td class="number">0.912 (0.87 to 0.95)</td><td class="number">2</td><td>left out: auc_FNH</td>'
    assert row in text
    assert "4.96 at the start, 3.08 at the end" in text


def test_only_phases_that_were_used_are_drawn(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(run / "results", tmp_path / "results")
    path = tmp_path / "results/P1.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(result | {"phases_used": ["venous"]}), encoding="utf-8")
    samples: list[list[str]] = []

    def noting(used: dict[str, str], *rest: Any) -> Plane:
        samples.append(list(used))
        return sample_plane(used, *rest)

    monkeypatch.setattr("scripts.lidia.report.cohort_sections.sample_plane", noting)
    write_report(results_dir=tmp_path / "results", output_dir=tmp_path, dataset_dir=run / "data", patients=1)
    assert samples == [["venous"]]


def test_without_a_datalist_the_report_has_the_results_alone(run: Path, tmp_path: Path) -> None:
    text = write_report(results_dir=run / "results", output_dir=tmp_path).read_text(encoding="utf-8")
    assert "<img" not in text and "synthetic" not in text and "P1" in text


def test_an_empty_results_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"inference\.json"):
        write_report(results_dir=tmp_path, output_dir=tmp_path)


def test_a_missing_evaluation_is_an_error(run: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"evaluate\.json"):
        write_report(results_dir=run / "results", output_dir=tmp_path, evaluation_dir=tmp_path)


def test_results_that_disagree_are_refused(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "results", tmp_path / "results")
    path = tmp_path / "results/P1.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    result["lesions"].pop()
    path.write_text(json.dumps(result), encoding="utf-8")
    with pytest.raises(ValueError, match="lesions"):
        write_report(results_dir=tmp_path / "results", output_dir=tmp_path)
    assert list(tmp_path.glob("*.html")) == []
