"""The table of all patients has the values of their files, and links to existing pages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scripts.lidia.inference.result_files import result_files
from scripts.lidia.report.patients_table import render_patients


def written(folder: Path, case: str, malignant: float, **more: Any) -> None:
    result = {
        "id": case,
        "phases_used": ["venous"],
        "probabilities": {"HCC": 0.3, "cyst": 0.6},
        "malignant": malignant,
        "benign": 0.5,
        "lesions": [{"diameter_mm": 12.4}, {"diameter_mm": 30.6}],
        "warnings": [],
    }
    result_files(folder, case)["result"].write_text(json.dumps(result | more), encoding="utf-8")


def order(text: str) -> list[str]:
    return re.findall(r'<th scope="row">(?:<a[^>]*>)?([^<]*)', text)


def test_the_likeliest_to_be_malignant_come_first(tmp_path: Path) -> None:
    for case, malignant in (("a", 0.2), ("b", 0.9), ("c", 0.5)):
        written(tmp_path, case, malignant)
    text = render_patients(tmp_path, tmp_path, ["a", "b", "c"])
    assert order(text) == ["b", "c", "a"]
    first = text.split("<tbody>")[1].split("</tr>")[0]
    cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", first)]
    assert cells == ["0.90", "0.50", "cyst", "0.60", "2", "31", "1 of 4", "0"]


def test_links_lead_from_the_page_to_the_patients(tmp_path: Path) -> None:
    results = tmp_path / "run #1"
    results.mkdir()
    for case in ("plain", "a b#1%2:3"):
        written(results, case, 0.5)
        (results / f"{case}.html").write_text("", encoding="utf-8")
    written(results, "pageless", 0.5)
    text = render_patients(results, tmp_path / "pages", ["plain", "a b#1%2:3", "pageless"])
    assert re.findall(r'href="([^"]*)"', text) == [
        "./../run%20%231/plain.html",
        "./../run%20%231/a%20b%231%252%3A3.html",
    ]
    assert '<th scope="row">pageless</th>' in text


def test_triage_and_intervals_where_there_are_some(tmp_path: Path) -> None:
    written(tmp_path, "a", 0.9, triage={"malignant": "ruled in"}, intervals={"malignant": [0.8, 0.95]})
    written(tmp_path, "b", 0.1)
    text = render_patients(tmp_path, tmp_path, ["a", "b"])
    assert "ruled in" in text and "0.90 (0.80 to 0.95)" in text
    assert "triage" not in render_patients(tmp_path, tmp_path, ["b"])


def test_names_and_words_are_escaped(tmp_path: Path) -> None:
    case = '<img src=x onerror="alert(1)">'
    written(tmp_path, case, 0.9, triage={"malignant": "</table>"})
    text = render_patients(tmp_path, tmp_path, [case])
    assert "<img" not in text and text.count("</table>") == 1


@pytest.mark.parametrize("broken", [None, "x", float("nan")])
def test_a_probability_that_is_none_comes_last(tmp_path: Path, broken: Any) -> None:
    written(tmp_path, "a", broken)
    written(tmp_path, "b", 0.1)
    assert order(render_patients(tmp_path, tmp_path, ["a", "b"])) == ["b", "a"]
