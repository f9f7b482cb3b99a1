"""The study's figures equal those computed independently from the stored predictions."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score
from study.judged import COHORTS, archived, evaluate, read_json, truths, write_archive

from experiments.study.compare import METRICS
from experiments.study.evidence import count_confusion, read_evaluation
from experiments.study.write_study import write_study
from scripts.lidia.vocabulary import LESION_TYPES

SYSTEMS = {
    "lidia": {"label": "LIDIA", "seeds": 3, "table": 1, "paper": "LIDIA"},
    "nnunet": {"label": "nnU-Net", "table": 1, "rule": "pixelcount", "paper": "nn-UNet"},
    "plan": {"label": "PLAN", "table": [1], "rule": "branch", "paper": "PLAN"},
    "late": {"label": "Mask2Former", "table": 1, "rule": "pixelcount", "paper": "Mask2Former"},
}
SKILLS = {"lidia": 0.8, "lidia_seed1": 0.75, "lidia_seed2": 0.7, "nnunet": 0.4}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("study"), SYSTEMS, SKILLS)


@pytest.fixture(scope="module")
def page(archive: Path) -> str:
    path = write_study(
        archive=str(archive),
        output_dir="",
        systems=SYSTEMS,
        draws=60,
        remarks={"1": ["Because."], "2": ["No."]},
    )
    assert path == archive.with_suffix(".md")
    return path.read_text(encoding="utf-8")


def stored(archive: Path, place: str, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(gzip.decompress((archive / place / name).read_bytes()).decode())))


def recomputed(archive: Path, place: str, rule: str) -> dict[str, float]:
    """All numbers of a method from the CSV files alone."""
    patients, lesions = stored(archive, place, "patients.csv.gz"), stored(archive, place, "lesions.csv.gz")

    def column(name: str) -> np.ndarray:
        return np.array([float(row[name] or "nan") for row in patients])

    def area(truth: str, score: str) -> float:
        return roc_auc_score(column(f"mm3_{truth}") > 113, column(f"{rule}_{score}"))

    result = {f"auc_{name}": area(name, name) for name in LESION_TYPES}
    result["auc8"] = float(np.mean(list(result.values())))
    sided = (column("mm3_malignant") > 113) | (column("mm3_benign") > 113) | (column("mm3_unsided") <= 113)
    sides = [
        roc_auc_score(column(f"mm3_{side}")[sided] > 113, column(f"{rule}_{side}")[sided])
        for side in ("malignant", "benign")
    ]
    result["auc2"] = float(np.mean(sides))
    outcomes = Counter(row["outcome"] for row in lesions)
    result["precision"] = outcomes["true"] / (outcomes["true"] + outcomes["false"])
    result["sensitivity"] = outcomes["found"] / (outcomes["found"] + outcomes["missed"])
    typed = [row for row in lesions if row["predicted"] == "prediction" and row["outcome"] == "true"]
    result["accuracy"] = float(np.mean([row["type"] == row["partner_type"] for row in typed]))
    result["dice"] = float(np.nanmean(column("dice_lesions")))
    skills = []
    for name in LESION_TYPES:
        truth = (column(f"mm3_{name}") > 113).astype(float)
        worst = brier_score_loss(truth, np.full(len(truth), truth.mean()))
        skills.append(1 - brier_score_loss(truth, column(f"livermax_{name}")) / worst)
    result["brier_skill"] = float(np.mean(skills))
    return result


@pytest.mark.parametrize("cohort", COHORTS)
@pytest.mark.parametrize(("system", "rule"), [("lidia", "livermax"), ("nnunet", "pixelcount")])
def test_figures_equal_a_recomputation(archive: Path, page: str, system: str, rule: str, cohort: str) -> None:
    figures = read_json(archive.with_suffix(".json"))[cohort][f"{system}+{rule}"]
    assert list(figures) == list(METRICS)
    result = recomputed(archive, f"{system}/{cohort}", rule)
    if rule != "livermax":
        assert figures["brier_skill"] == [None, None, None], "volumes are no probabilities"
        del result["brier_skill"]
    for key, value in result.items():
        assert figures[key][0] == pytest.approx(value, abs=2e-5), key
        assert figures[key][1] <= figures[key][0] <= figures[key][2]


def test_differences_are_those_of_the_figures_and_paired(archive: Path, page: str) -> None:
    study = read_json(archive.with_suffix(".json"))
    for cohort in COHORTS:
        gaps = study["differences"][cohort]
        assert set(gaps) == set(study[cohort]) - {"lidia+livermax"}
        for key in ("auc8", "auc2", "auc_HCC", "precision", "accuracy", "dice"):
            gap, ours = gaps["nnunet+pixelcount"][key], study[cohort]["lidia+livermax"][key][0]
            assert gap["value"] == pytest.approx(ours - study[cohort]["nnunet+pixelcount"][key][0], abs=2e-5)
            assert gap["low"] <= gap["value"] <= gap["high"]
        # The same lesions read by another rule: paired, there is no difference at all
        assert gaps["lidia+pixelcount"]["dice"]["value"] == gaps["lidia+pixelcount"]["dice"]["high"] == 0


def test_seeds_are_listed_as_mean_and_sd(archive: Path, page: str) -> None:
    study = read_json(archive.with_suffix(".json"))
    assert not any("seed" in name for name in study["internal"])
    values = [
        read_json(archive / run / "internal/metrics.json")["auc8"]["value"]
        for run in ("lidia", "lidia_seed1", "lidia_seed2")
    ]
    spread = study["seeds"]["internal"]["lidia+livermax"]["auc8"]
    assert spread == pytest.approx([np.mean(values), np.std(values, ddof=1), 3])
    assert f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}" in page
    assert "nnunet+livermax" not in study["seeds"]["internal"]


def test_the_budget_lists_the_steps_of_a_method(archive: Path, page: str) -> None:
    budget = read_json(archive.with_suffix(".json"))["budget"]
    assert budget["lidia+livermax"] == {"steps": 20, "seconds": 30.0, "seeds": [0, 1, 2], "phantom": "cafe"}


def test_the_page_has_the_paper_s_numbers_and_names_what_is_missing(page: str) -> None:
    assert "Missing so far: oracle (internal), plan (internal), late (internal)" in page
    assert "| PLAN | patient branch: missing |" in page
    assert "| *0.822* | *0.915* | *0.909* | *0.854* | *0.8575* | *0.873* |" in page
    assert page.count("synthetic patients of the internal cohort") == 4
    for table in ("Table 1", "Table 2", "Table 3"):
        assert f"### {table}" in page
    assert "AUC-8: the 2 rows have the paper's order." in page
    assert "Possible reasons:\n\n- Because.\n" in page
    assert "- No." not in page, "a table without two rows has no order to explain"
    assert "Rows of the paper without a counterpart here: Baseline nnU-Net, HEMIS, ConvLSTM, IFM." in page


def test_a_cohort_s_tables_have_the_rows_evaluated_on_it(tmp_path: Path) -> None:
    systems = {
        "lidia": {"table": 1},
        "unet": {"table": 1, "label": "U-Net", "cohorts": ["internal"]},
        "hemis": {"table": 2, "label": "HeMIS", "cohorts": ["internal"]},
    }
    page = write_study(archive=None, output_dir=str(tmp_path), systems=systems).read_text(encoding="utf-8")
    internal, external = page.split("## External cohort")
    assert "| U-Net |" in internal and "| HeMIS |" in internal
    assert "| lidia |" in external and "| U-Net |" not in external
    assert "### Table 2" not in external, "nothing of it is judged there"


def test_pictures_are_there(archive: Path, page: str) -> None:
    for name in ("external_areas", "confusion"):
        assert (archive / f"figures/{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert f"(study/figures/{name}.png)" in page


def test_an_archive_with_nothing_in_it_gives_a_page(tmp_path: Path) -> None:
    path = write_study(archive=None, output_dir=str(tmp_path), systems=SYSTEMS)
    assert "Nothing is finished yet." in path.read_text(encoding="utf-8")
    assert read_json(tmp_path / "study.json")["internal"] == {}


def test_the_confusion_is_that_of_the_evaluation(archive: Path) -> None:
    remaining = read_evaluation(archive / "nnunet/internal")
    assert remaining is not None
    table = count_confusion(remaining)
    lesions = stored(archive, "nnunet/internal", "lesions.csv.gz")
    missed = Counter(row["type"] for row in lesions if row["outcome"] == "missed")
    false = Counter(row["type"] for row in lesions if row["outcome"] == "false")
    assert table[:-1, -1].tolist() == [missed[name] for name in LESION_TYPES]
    assert table[-1, :-1].tolist() == [false[name] for name in LESION_TYPES]
    assert table[:-1, :-1].sum() == read_json(archive / "nnunet/internal/metrics.json")["accuracy"]["n"]


def test_runs_of_different_cohorts_are_not_compared(tmp_path: Path) -> None:
    archive = write_archive(tmp_path, {"lidia": {}}, {"lidia": 0.5})
    archived(archive, "other", "internal", evaluate(tmp_path / "other", seed=9, skill=0.5, count=30))
    with pytest.raises(ValueError, match="lidia.* 40.*other.* 30"):
        write_study(archive=str(archive), output_dir="", systems={"lidia": {}, "other": {}}, draws=5)


def test_evidence_is_small(tmp_path: Path) -> None:
    """25 systems on two cohorts of the paper's 318 patients stay under 6 MB."""
    count = 80
    evaluate(tmp_path / "whole", seed=1, skill=0.5, count=count, draws=20)
    archived(tmp_path / "archive", "lidia", "internal", tmp_path / "whole")
    size = sum(path.stat().st_size for path in (tmp_path / "archive").rglob("*") if path.is_file())
    assert len(truths(count)) == count
    assert size * 318 / count * 50 < 6e6
