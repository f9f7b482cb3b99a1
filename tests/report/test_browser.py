"""The pages in a real browser: keyboard, network, width, paper, colours, names."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.lidia.report.patient_pages import write_patient_page
from scripts.lidia.report.read_results import read_patient
from scripts.lidia.report.write_report import write_report

from .browser import Browser, browser

LOOKS = Path(__file__).with_name("looks.js").read_text(encoding="utf-8")
MORE = {
    "intervals": {"HCC": [0.8, 0.97], "malignant": [0.7, 0.99]},
    "triage": {"HCC": "ruled in", "cyst": "open", "ICC": "ruled out"},
    "missing": {"phases": [], "auc8": 0.9, "auc8_all": 0.9},
    "without": {"arterial": {"probabilities": {"HCC": 0.4}, "malignant": 0.5, "benign": 0.4}},
    "registration": {
        "arterial": {"method": "greedy", "accepted": False, "message": "worse than before, left out"}
    },
    "series": [
        {"phase": "venous", "description": "A long description of a series " * 3, "why": "because " * 20}
    ],
}


@pytest.fixture(scope="module")
def pages(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A patient with everything, one without findings, and the cohort."""
    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(run / "results", folder / "results")
    path = folder / "results/P1.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | MORE), encoding="utf-8")
    items = json.loads((run / "data/dataset.json").read_text(encoding="utf-8"))["test"]
    created = {
        item["id"]: write_patient_page(
            folder / "results", read_patient(folder / "results", item["id"], item), synthetic=True
        )
        for item in items
        if item["id"] in ("P1", "P2")
    }
    cohort = write_report(
        results_dir=folder / "results",
        output_dir=folder,
        dataset_dir=run / "data",
        evaluation_dir=run / "evaluation",
    )
    return created | {"cohort": cohort}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.mark.parametrize("name", ["P1", "P2", "cohort"])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (375, False), (375, True)])
def test_it_can_be_seen_and_named(
    chromium: Browser, pages: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    chromium.open(pages[name], width=width, dark=dark)
    assert chromium.run(LOOKS) == []
    assert chromium.messages() == []
    assert chromium.requests() == [pages[name].as_uri()]


def keys(chromium: Browser, *pressed: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(chromium.driver).send_keys(*pressed).perform()


def read_viewer(chromium: Browser) -> tuple[str, list[str]]:
    """What the page says of its slice, and the pictures that it shows."""
    position = chromium.run("return document.getElementById('where').textContent")
    seen = chromium.run("return [...document.querySelectorAll('#viewer img')].map((image) => image.src)")
    return position, seen


def test_arrow_keys_move_the_slice_in_all_phases(chromium: Browser, pages: dict[str, Path]) -> None:
    from selenium.webdriver.common.keys import Keys

    chromium.open(pages["P1"])
    chromium.run("document.getElementById('level').focus()")
    text, pictures = read_viewer(chromium)
    keys(chromium, Keys.ARROW_RIGHT)
    next_words, next_pictures = read_viewer(chromium)
    number = re.compile(r"slice (\d+) of")
    assert int(number.match(next_words)[1]) == int(number.match(text)[1]) + 1  # type: ignore[index]
    assert len(pictures) == 4 and all(a != b for a, b in zip(pictures, next_pictures, strict=True))
    assert chromium.run("return document.getElementById('level').ariaValueText") == next_words
    assert chromium.run("return document.querySelector('#viewer img').alt") == f"nc, {next_words}"
    keys(chromium, Keys.ARROW_LEFT)
    assert read_viewer(chromium) == (text, pictures)
    keys(chromium, Keys.HOME)
    assert read_viewer(chromium)[0].startswith("slice 1 of")


def test_contours_are_switched_by_keyboard(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["P1"])
    for kind, first in (("found", True), ("liver", False), ("truth", True)):
        visible = f"return getComputedStyle(document.querySelector('#viewer g.{kind}')).display !== 'none'"
        assert chromium.run(visible) is first
        chromium.run(f"document.querySelector('input[data-contour={kind}]').focus()")
        keys(chromium, " ")
        assert chromium.run(visible) is not first


def test_a_lesion_leads_to_its_slice(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["P1"])
    chromium.run("document.querySelector('#lesion-2 button').focus()")
    keys(chromium, "\n")
    assert "2 hemangioma" in read_viewer(chromium)[0]
    assert chromium.run("return document.activeElement.id") == "level"


def test_the_wheel_moves_the_slice_only_after_a_click(chromium: Browser, pages: dict[str, Path]) -> None:
    turn = (
        "const pane = document.querySelector('.panes');"
        "return pane.dispatchEvent(new WheelEvent('wheel', {deltaY: 100, bubbles: true, cancelable: true}))"
    )
    chromium.open(pages["P1"])
    before = read_viewer(chromium)
    assert chromium.run(turn) and read_viewer(chromium) == before
    chromium.run("document.querySelector('.panes').click()")
    assert not chromium.run(turn) and read_viewer(chromium) != before


def test_everything_is_reached_by_tab(chromium: Browser, pages: dict[str, Path]) -> None:
    from selenium.webdriver.common.keys import Keys

    chromium.open(pages["P1"])
    expected = "a, input, button:not([hidden])"
    chromium.run(
        "window.seen = new Set(); document.addEventListener('focusin', (event) => seen.add(event.target))"
    )
    count = chromium.run(f"return document.querySelectorAll('{expected}').length")
    keys(chromium, *[Keys.TAB] * (count + 30))
    missed = f"return [...document.querySelectorAll('{expected}')].filter((one) => !seen.has(one)).length"
    assert count > 10 and chromium.run(missed) == 0


def test_the_cohort_is_sorted_by_keyboard(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["cohort"])
    order = "return [...document.querySelectorAll('.sortable tbody th')].map((one) => one.textContent)"
    sorting = "return [...document.querySelectorAll('.sortable th')].map((one) => one.ariaSort)"
    assert chromium.run(order) == ["P1", "P2"]
    assert chromium.run(sorting)[:2] == [None, "descending"]
    chromium.run("document.querySelectorAll('.sort')[1].focus()")
    keys(chromium, "\n")
    assert chromium.run(order) == ["P2", "P1"] and chromium.run(sorting)[1] == "ascending"
    chromium.run("document.querySelector('.sort').focus()")
    keys(chromium, "\n")
    assert chromium.run(order) == ["P1", "P2"] and chromium.run(sorting)[:2] == ["ascending", None]


def test_a_patient_s_link_opens_their_page(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["cohort"])
    chromium.run("document.querySelector('.sortable a').click()")
    assert chromium.run("return document.title") == "LIDIA: P1"


def test_it_prints_on_a4_with_all_sections(chromium: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    chromium.open(pages["P1"])
    raw = chromium.pdf()
    boxes = {tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox \[([\d. ]+)\]", raw)}
    assert boxes and all(box == pytest.approx((0, 0, 595.3, 841.9), abs=0.6) for box in boxes)
    if (reader := shutil.which("pdftotext")) is None:
        pytest.skip("no pdftotext")
    import subprocess

    (tmp_path / "page.pdf").write_bytes(raw)
    text = subprocess.run(
        [reader, tmp_path / "page.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    for title in ("Patient", "Slices", "Lesions", "Certainty", "What each phase changed", "How to read it"):
        assert re.search(rf"^\f?{title}$", text, re.M)
    assert "Research software" in text and "Lesion 2" in text


def test_no_script_of_a_header_runs(chromium: Browser, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "results", tmp_path / "results")
    path = tmp_path / "results/P1.json"
    attack = "<img src=x onerror='document.title=1'><script>document.title=1</script>"
    result = json.loads(path.read_text(encoding="utf-8")) | {"warnings": [attack]}
    path.write_text(json.dumps(result), encoding="utf-8")
    page = write_patient_page(tmp_path / "results", read_patient(tmp_path / "results", "P1"))
    raw = page.read_text(encoding="utf-8")
    chromium.open(page)
    assert chromium.run("return document.title") == "LIDIA: P1"
    # and if the escaping failed, the page's policy would still stop it
    page.write_text(raw.replace("</main>", f"{attack}</main>"), encoding="utf-8")
    chromium.open(page)
    assert chromium.run("return document.title") == "LIDIA: P1"
    assert len(chromium.messages()) >= 2
