"""The page of the study at convergence equals a recomputation from what is stored."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from study.judged import COHORTS, archived, evaluate, read_json

from experiments.study.archive import store_result
from experiments.study.curve import STORED, Curve, Round, read_curve, select_metrics, write_curve
from experiments.study.jobs import Job, StudyPaths
from experiments.study.write_convergence import write_convergence
from scripts.lidia.vocabulary import LESION_TYPES

SYSTEMS: dict[str, dict[str, Any]] = {
    "lidia": {"label": "LIDIA", "table": 1, "paper": "LIDIA"},
    "unet": {"label": "U-Net", "table": 1, "rule": "pixelcount", "cohorts": ["internal"]},
    "early": {"label": "early fusion", "table": 1, "rule": "pixelcount", "paper": "Mask2Former"},
    "sam": {"label": "LIDIA with SAM", "table": 3, "paper": "+SAM(LIDIA)"},
}
PARTS: dict[str, dict[str, Any]] = {
    "a": {"systems": ["lidia", "unet", "early"], "cap_hours": 3.0},
    "b": {"systems": ["lidia", "best_rival"], "seed": 1, "cap_hours": 3.0},
    "c": {"systems": ["sam"], "cap_hours": 1.0},
}
AREAS = {
    "lidia": [0.70, 0.80, 0.86, 0.90, 0.90, 0.91, 0.90, 0.91, 0.90],
    "unet": [0.60, 0.70, 0.86, 0.85, 0.87],  # the best rival: 0.86 at the end
    "early": [0.50, 0.60, 0.70],
    "lidia_seed1": [0.72, 0.81],
}
ENDS = {"lidia": "rule", "unet": "cap", "early": "cap", "lidia_seed1": None}
SKILLS = {"lidia": 0.8, "lidia_seed1": 0.75, "unet": 0.5}
LEVELS = {"auc8": [0.85, 0.93], "dice": [0.6]}
STEPS = {
    "seeds": ["lidia+livermax", "best_rival+livermax"],
    "SAM": ["sam+livermax", "lidia+livermax"],
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Curves by hand and evaluations of invented patients; a round takes LIDIA 0.2 h, the others 0.5 h."""
    folder = tmp_path_factory.mktemp("study")
    archive = folder / "convergence"
    for run, areas in AREAS.items():
        hours = 0.2 if run.startswith("lidia") else 0.5
        rounds = tuple(
            Round(
                number,
                number,
                100 * number,
                3600 * hours * number,
                dict.fromkeys(STORED) | {"auc8": area, "dice": 0.5 + 0.05 * min(number, 3)},
            )
            for number, area in enumerate(areas, 1)
        )
        write_curve(archive, run, Curve("key", "python", "cafe", "a", 3.0, None, ENDS[run], rounds))
    for run, skill in SKILLS.items():
        evaluate(folder / run, seed=len(run), skill=skill, count=24, draws=20)
        archived(archive, run, "internal", folder / run)
    return archive


@pytest.fixture(scope="module")
def page(archive: Path) -> str:
    options = {"levels": LEVELS, "plotted_parts": ["a", "b"], "ablation_steps": STEPS, "draws": 60}
    path = write_convergence(
        archive=str(archive), output_dir="", systems=SYSTEMS, parts=PARTS, table_references={}, **options
    )
    assert path == archive.with_name("convergence.md")
    return path.read_text(encoding="utf-8")


def find_line(page: str, start: str) -> list[str]:
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {start}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_planned_row_says_how_it_ended_or_that_it_was_not_run(page: str) -> None:
    lidia = find_line(page, "a | LIDIA | 0 |")
    # Means of 4, 5, 6 and 7, 8, 9: 0.9033 and 0.9033; Dice is constant from the third round
    assert lidia[4:] == ["the rule of flatness", "900", "1.80", "0.903", "0.650", "+0.000", "+0.000"]
    assert find_line(page, "a | U-Net |")[4:8] == ["the cap", "500", "2.50", "0.860"]
    assert find_line(page, "b | LIDIA | 1 |")[4] == "**not finished**"
    assert find_line(page, "b | U-Net | 1 |")[4] == "**not run**", "the U-Net is the best rival"
    assert find_line(page, "c | LIDIA with SAM |")[4] == "**not run**"


def test_the_time_table_is_that_of_the_stored_points(archive: Path, page: str) -> None:
    content = read_json(archive.with_name("convergence.json"))
    for run, areas in AREAS.items():
        points = content["rows"][run]["curves"]["auc8"]
        assert [value for _, _, value in points] == areas, "the data of the plot are in the JSON file"
        for level in LEVELS["auc8"]:
            at = [(step, hours) for step, hours, value in points if value >= level][:1]
            entry = content["time_to_accuracy"][run]["auc8"][f"{level:g}"]
            assert (entry is None) == (not at)
            assert entry is None or (entry["steps"], entry["cpu_hours"]) == at[0]
    assert find_line(page, "LIDIA | 0.60 h")[1:] == ["0.60 h, 300 steps", "not reached", "0.40 h, 200 steps"]
    assert find_line(page, "U-Net | 1.50 h")[1:] == ["1.50 h, 300 steps", "not reached", "1.00 h, 200 steps"]
    assert find_line(page, "early fusion | not reached")[1] == "not reached"


def test_the_hours_to_the_rival_s_final_area_are_stated(archive: Path, page: str) -> None:
    # (0.86 + 0.85 + 0.87) / 3 = 0.86; the sum of the floats may lie just above the 0.86 of the third round
    comparison = read_json(archive.with_name("convergence.json"))["best_rival"]
    assert comparison["rival"] == "unet" and comparison["level"] == pytest.approx(0.86)
    assert comparison["rival_total_hours"] == 2.5
    own = next(0.2 * n for n, area in enumerate(AREAS["lidia"], 1) if area >= comparison["level"])
    other = next(0.5 * n for n, area in enumerate(AREAS["unet"], 1) if area >= comparison["level"])
    assert comparison["reference_hours"] == pytest.approx(own)
    assert comparison["rival_hours"] == pytest.approx(other)
    goal = "reached" if own <= other / 2 else "not reached"
    assert f"lidia reaches it after {own:.2f} CPU hours, {own / other:.0%} of the rival's" in page
    assert f"The goal, at most 50%, is {goal}." in page


def test_a_part_is_compared_over_patients_and_seeds(archive: Path, page: str) -> None:
    content = read_json(archive.with_name("convergence.json"))
    assert content["steps"]["SAM"] is None and "| SAM | - | - | **not measured** |" in page
    step = content["steps"]["seeds"]
    assert step["methods"] == ["lidia+livermax", "unet+livermax"] and step["runs"] == [2, 1]
    values = {
        run: read_json(archive / run / "internal/metrics.json")["auc8"]["value"]
        for run in ("lidia", "lidia_seed1", "unet")
    }
    expected = (values["lidia"] + values["lidia_seed1"]) / 2 - values["unet"]
    assert step["differences"]["auc8"]["value"] == pytest.approx(expected, abs=2e-5)
    one_seed = content["differences"]["1"]["internal"]["unet+livermax"]["auc8"]
    width = step["differences"]["auc8"]["high"] - step["differences"]["auc8"]["low"]
    assert width > 0 and one_seed["high"] - one_seed["low"] > 0


def test_the_page_has_the_paper_s_tables_and_the_charts(archive: Path, page: str) -> None:
    assert "| LIDIA | LiverMax | " in page and "mean ± SD of 2 seeds" in page
    assert "| early fusion | pixel count: missing |" in page
    assert (archive / "figures/curves.png").read_bytes()[:4] == b"\x89PNG"
    assert "(convergence/figures/curves.png)" in page and "curves_short" not in page


def test_a_stored_round_gives_the_values_of_its_curve(archive: Path, tmp_path: Path) -> None:
    source = archive.with_name("lidia")  # files of an evaluation
    metrics = select_metrics(read_json(source / "metrics.json"))
    job = Job("lidia/rounds/01", "round", [], source, "python", "key", None, 0.0)
    store_result(tmp_path / "archive", job, StudyPaths(Path(), Path(), COHORTS), None, 0)
    text = gzip.decompress((tmp_path / "archive/lidia/rounds/01/patients.csv.gz").read_bytes()).decode()
    rows = list(csv.DictReader(io.StringIO(text)))

    def column(name: str) -> np.ndarray:
        return np.array([float(row[name] or "nan") for row in rows])

    for prefix, rule in (("", "livermax"), ("pixelcount_", "pixelcount")):
        areas = [
            roc_auc_score(column(f"mm3_{name}") > 113, column(f"{rule}_{name}")) for name in LESION_TYPES
        ]
        assert metrics[f"{prefix}auc8"] == pytest.approx(np.mean(areas), abs=2e-5)
    assert metrics["dice"] == pytest.approx(np.nanmean(column("dice_lesions")), abs=2e-5)
    assert metrics["branch_auc8"] is None
    curve = Curve("key", "", None, "a", 3.0, None, None, (Round(1, 2, 200, 12.5, metrics),))
    write_curve(tmp_path, "lidia", curve)
    assert read_curve(tmp_path, "lidia") == curve and read_curve(tmp_path, "unet") is None


def test_an_archive_with_nothing_in_it_gives_a_page(tmp_path: Path) -> None:
    path = write_convergence(archive=None, output_dir=str(tmp_path), systems=SYSTEMS, parts=PARTS)
    page = path.read_text(encoding="utf-8")
    assert page.count("**not run**") == 6 and "No training has an evaluation yet." in page
    assert "| b | best rival | 1 |" in page
