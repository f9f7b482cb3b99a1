"""Each patient's page is beside their other files and has their values, for any content."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ignite.engine import Engine
from inference.findings_on_disk import diagnosis_of
from monai.engines.utils import IterationEvents
from PIL import Image

from scripts.lidia.report.patient_pages import PatientPages, write_patient_page
from scripts.lidia.report.read_results import read_patient

VOID = {"meta", "img", "input", "line", "polyline", "path", "circle"}
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"


class Elements(HTMLParser):
    """Every element with its attributes; each has to be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def items_of(run: Path) -> list[dict[str, Any]]:
    return json.loads((run / "data/dataset.json").read_text(encoding="utf-8"))["test"]


def page_of(run: Path, folder: Path, case: str = "P1", *, bare: bool = False, **more: Any) -> str:
    """A patient's page after his JSON was given more keys; `bare` leaves images and label unknown."""
    shutil.copytree(run / "results", folder / "results")
    path = folder / f"results/{case}.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(result | more), encoding="utf-8")
    item = {} if bare else next(item for item in items_of(run) if item["id"] == case)
    patient = read_patient(folder / "results", case, item)
    page = write_patient_page(folder / "results", patient, synthetic=bool(item.get("synthetic")))
    return page.read_text(encoding="utf-8")


def test_every_patient_of_a_batch_gets_a_page(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "results", tmp_path / "results")
    engine = Engine(lambda engine, batch: None)
    engine.register_events(*IterationEvents)
    PatientPages(folder=str(tmp_path / "results")).attach(engine)
    first, second = sorted(items_of(run), key=lambda item: item["id"])[:2]
    for items in ([first], [], [second]):
        engine.state.batch = [{"item": item} for item in items]
        engine.state.output = [diagnosis_of(tmp_path / "results", item["id"]) for item in items]
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
    pages = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")}
    assert sorted(pages) == ["P1.html", "P2.html"]
    assert "synthetic" in pages["P1.html"] and "No lesion was found." in pages["P2.html"]
    assert not list(tmp_path.rglob(".writing-*"))


def test_a_page_needs_no_other_file(run: Path, tmp_path: Path) -> None:
    text = page_of(run, tmp_path)
    page = Elements(text)
    for tag in ("img", "script", "link", "iframe"):
        assert all(
            (entry.get("src") or "data:").startswith("data:image/")
            for entry in page.of(tag)
            if "src" in entry
        )
    assert not page.of("link") and not re.search(r"https?://|@import|url\(", text)
    policy = next(str(entry["content"]) for entry in page.of("meta") if "http-equiv" in entry)
    assert policy.startswith("default-src 'none'") and "script-src 'sha256-" in policy


def test_a_card_has_size_place_truth_and_enhancement(run: Path, tmp_path: Path) -> None:
    first = page_of(run, tmp_path).split('id="lesion-1"')[1].split("</article>")[0]
    # a ball of 11 mm; the hand-made liver is a ball of 50 mm around (90, 70, 30)
    assert "Lesion 1" in first and "HCC" in first and "0.81" in first
    assert re.search(r"<dd>\d+ mm \(axial\)</dd>", first) and re.search(r"<dd>\d\.\d\d ml</dd>", first)
    assert re.search(r"<dd>[^<]*below the liver's surface", html.unescape(first))
    assert "Truth" in first
    rows = re.findall(r"<tr><th[^>]*>(lesion 1|liver|difference)</th>(.*?)</tr>", first)
    hu = {name: [float(value) for value in re.findall(r">([+-]?\d+)<", cells)] for name, cells in rows}
    # 60 HU more than the liver's in the first phase, then 30 less a phase; the outlines differ a little
    np.testing.assert_allclose(hu["difference"], [60, 30, 0, -30], atol=16)
    np.testing.assert_allclose(np.subtract(hu["lesion 1"], hu["liver"]), hu["difference"], atol=1)


def test_pictures_of_all_phases_have_one_size_and_words(run: Path, tmp_path: Path) -> None:
    page = Elements(page_of(run, tmp_path))
    pictures = page.of("img")
    assert len(pictures) == 4 + 2 * 4 and all(entry.get("alt") for entry in pictures)
    shapes = set()
    for entry in pictures[:4]:
        raw = base64.b64decode(str(entry["src"]).partition(",")[2])
        shapes.add(Image.open(io.BytesIO(raw)).size)
    assert len(shapes) == 1


def test_the_slices_carry_every_phase_and_their_contours(run: Path, tmp_path: Path) -> None:
    text = page_of(run, tmp_path)
    stack = json.loads(re.search(r'id="stack">(.*?)</script>', text)[1])  # type: ignore[index]
    count = len(stack["words"])
    assert list(stack["slices"]) == ["nc", "arterial", "venous", "delayed"]
    assert {len(slices) for slices in stack["slices"].values()} == {count} and len(stack["drawn"]) == count
    visible = [index for index, phrase in enumerate(stack["words"]) if "1 HCC" in phrase]
    assert visible and all(
        ('<g class="found">' in stack["drawn"][index]) == ("no lesion" not in stack["words"][index])
        for index in range(count)
    )
    slider = next(entry for entry in Elements(text).of("input") if entry["type"] == "range")
    assert int(str(slider["max"])) == count - 1 and int(str(slider["value"])) in visible
    assert slider["aria-valuetext"] == stack["words"][int(str(slider["value"]))]


def test_phases_that_were_not_scanned_are_named(run: Path, tmp_path: Path) -> None:
    text = page_of(run, tmp_path, "P2")
    assert "Not scanned: arterial, delayed" in text and text.count(">not scanned<") == 2


def test_what_a_missing_phase_costs(run: Path, tmp_path: Path) -> None:
    record = {"phases": ["arterial", "delayed"], "auc8": 0.81, "auc8_all": 0.93, "patients": 40}
    text = page_of(run, tmp_path, "P2", missing=record)
    assert "On 40 synthetic validation patients" in text
    assert "0.81 with these phases, 0.93 with all four (-0.12)" in text


def test_what_each_phase_changed(run: Path, tmp_path: Path) -> None:
    other = {"probabilities": {"HCC": 0.5, "cyst": 0.44}, "malignant": 0.5, "benign": 0.45}
    text = page_of(run, tmp_path, without={"arterial": other})
    row = re.search(r"without arterial</th>(.*?)</tr>", text)[1]  # type: ignore[index]
    cells = re.findall(r'class="number">(.*?)</td>', row)
    assert cells[:3] == ["0.50 <strong>(-0.43)</strong>", "0.45", "0.50 <strong>(-0.43)</strong>"]
    assert cells[7] == "0.44" and cells[3] == "–"


def test_series_and_registration_are_listed(run: Path, tmp_path: Path) -> None:
    series = [{"phase": "venous", "description": "ABD PV", "spacing_mm": [0.8, 0.8, 2], "taken": True}]
    matched = {
        "arterial": {"method": "greedy", "quality_before": 0.6, "quality_after": 0.5, "accepted": False}
    }
    text = page_of(run, tmp_path, series=series, registration=matched)
    assert "ABD PV" in text and "0.80 x 0.80 x 2.00" in text
    assert "0.60 to 0.50" in text and "<strong>no</strong>" in text


def test_missing_parts_are_left_out_of_the_page(run: Path, tmp_path: Path) -> None:
    text = page_of(run, tmp_path).partition("<body>")[2]
    for word in ("triage", "interval", "Registration", "Series of the study", "What each phase changed"):
        assert word not in text


def test_without_images_the_page_has_the_results_alone(run: Path, tmp_path: Path) -> None:
    text = page_of(run, tmp_path, bare=True)
    assert "<img" not in text and 'id="stack"' not in text and 'id="lesion-1"' in text
    assert "synthetic: the patients" not in text and 'href="#slices"' not in text


@pytest.mark.parametrize(
    "broken", ["x", [None, 3], {"venous": None}, {HOSTILE: {HOSTILE: HOSTILE}}, [HOSTILE]]
)
def test_keys_of_another_shape_do_not_stop_the_page(run: Path, tmp_path: Path, broken: Any) -> None:
    keys = ("series", "registration", "intervals", "triage", "without", "missing")
    assert "Lesion 1" in page_of(run, tmp_path, **dict.fromkeys(keys, broken))


def test_values_of_headers_and_json_are_escaped(run: Path, tmp_path: Path) -> None:
    plain = Elements(page_of(run, tmp_path / "plain"))
    inner = {"method": HOSTILE, "message": HOSTILE, "accepted": HOSTILE, "quality_before": HOSTILE}
    scanned = dict.fromkeys(
        ("phase", "description", "number", "slices", "spacing_mm", "time", "why"), HOSTILE
    )
    text = page_of(
        run,
        tmp_path / "hostile",
        warnings=[HOSTILE],
        grid_phase=HOSTILE,
        series=[scanned],
        registration={HOSTILE: inner},
        triage=dict.fromkeys(("malignant", "HCC"), HOSTILE),
        versions={HOSTILE: HOSTILE},
        without={HOSTILE: {"malignant": HOSTILE}},
    )
    page = Elements(text)
    assert text.count("alert(1)") > 10 and "<script>alert" not in text and "<img src=x" not in text
    for tag in ("script", "img", "svg"):
        assert len(page.of(tag)) == len(plain.of(tag))
    assert not any(name.startswith("on") for _, attributes in page.found for name in attributes)
