"""A small study runs, is not repeated, goes on after a failure, and its tables say what the files say."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from engine.toys import write_toys
from monai.bundle import run
from sklearn.metrics import roc_auc_score
from test_configs import TRAINING

from scripts.lidia.study.runner import StudyError, jobs, run_study
from scripts.lidia.study.tables import differences, read_patients, write_study
from scripts.lidia.vocabulary import LESION_TYPES

# MONAI's word of caution about foreign configs; these are our own.
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

BUNDLE = Path(__file__).parents[2] / "lidia_bundle"
TINY = {key: TRAINING[key] for key in ("roi_size", "device", "spacing")}
STEPS = {**{key: TRAINING[key] for key in ("steps", "train#stages")}, **TINY, "max_epochs": 1}
NARROW = {"network_def#channels": [8, 8, 8, 8]}


def invented(folder: Path, seed: int) -> None:
    """Files of an evaluation of 40 patients whose scores are noise around the truth."""
    generator = np.random.default_rng(seed)
    truth = np.random.default_rng(0).random((40, 8)) < 0.3
    folder.mkdir(parents=True)
    names = ["id", "phases"]
    names += [f"mm3_{n}" for n in (*LESION_TYPES, "malignant", "benign", "unsided")]
    names += [f"mm3_{n}_authors" for n in ("malignant", "benign")]
    scored = (*LESION_TYPES, "malignant", "benign", "benign_authors")
    names += [f"{rule}_{n}" for rule in ("livermax", "pixelcount") for n in scored]
    with (folder / "patients.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(names)
        for i in range(39, -1, -1):
            sick = truth[i]
            sides = [sick[:3].any(), sick[3:7].any(), False, sick[:3].any(), sick[3:5].any()]
            scores = [*(sick + generator.normal(size=8)), *(sides[:2] + generator.normal(size=2)), 0.5]
            table.writerow([f"P{i:02}", "nc", *(500 * sick), *(500 * np.array(sides)), *scores, *scores])
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 40}
    keys = ["auc8", "auc2", *(f"auc_{n}" for n in LESION_TYPES)]
    keys += [f"pixelcount_{key}" for key in keys]
    keys += ["precision", "sensitivity", "accuracy", "dice", "liver_dice"]
    (folder / "metrics.json").write_text(json.dumps(dict.fromkeys(keys, figure)))


def test_tables_are_those_of_the_files(tmp_path: Path) -> None:
    for seed, place in enumerate(("lidia/internal", "lidia/external", "unet/internal", "unet/external")):
        invented(tmp_path / place, seed)
    page = write_study(output_dir=str(tmp_path), systems=["lidia", "unet"], draws=50).read_text()
    study = json.loads((tmp_path / "study.json").read_text())
    rules = ("livermax", "pixelcount")
    assert list(study["internal"]) == [f"{name}+{rule}" for name in ("lidia", "unet") for rule in rules]
    assert study["external"]["unet+pixelcount"]["auc8"] == [0.5, 0.4, 0.6]
    assert page.count("| unet+livermax |") == 4
    assert "synthetic" in page

    def auc8(system: str) -> float:
        table = read_patients(tmp_path / system / "internal/patients.csv")
        pairs = [(table[f"mm3_{n}"] > 113, table[f"livermax_{n}"]) for n in LESION_TYPES]
        return float(np.mean([roc_auc_score(*pair) for pair in pairs]))

    gap = study["differences"]["internal"]["unet+livermax"]["auc8"]
    assert gap["value"] == pytest.approx(auc8("lidia") - auc8("unet"))
    assert gap["low"] <= gap["value"] <= gap["high"]


def test_systems_of_different_cohorts_are_not_compared(tmp_path: Path) -> None:
    invented(tmp_path / "a", 0)
    whole = read_patients(tmp_path / "a/patients.csv")
    half = {name: column[:20] for name, column in whole.items()}
    with pytest.raises(ValueError, match="20, 40"):
        differences({"lidia": whole, "unet": half}, "lidia", 5, 0)


def test_an_overlay_and_its_options_reach_every_process(tmp_path: Path) -> None:
    system = {"overlays": ["unet.yaml"], "training": {"max_epochs": 7}, "evaluation": {"overlap": 0.5}}
    cohorts = {"internal": "in", "external": "out"}
    training, inside, outside = jobs("unet", system, tmp_path / "unet", BUNDLE, cohorts, {"steps": 3})
    assert training.command[-4:] == ["--steps", "3", "--max_epochs", "7"]
    for job, place in ((inside, "in"), (outside, "out")):
        assert job.command[job.command.index("--dataset_dir") + 1] == place
        assert job.command[-2:] == ["--overlap", "0.5"]
    assert all("unet.yaml" in job.command[6] for job in (training, inside, outside))


@pytest.mark.slow
def test_a_small_study_is_run_once(tmp_path: Path) -> None:
    toys = str(write_toys(tmp_path / "toys"))
    system = {"training": NARROW, "evaluation": {**NARROW, **TINY}}
    broken = {"overlays": ["no_such.yaml"]}
    options = {"dataset_dir": toys, "external_dir": toys, "output_dir": str(tmp_path / "study")}
    options |= {"bundle_root": str(BUNDLE), "options": STEPS}
    with pytest.raises(StudyError, match="broken/training failed"):
        run_study(systems={"broken": broken, "lidia": system}, **options)
    weights = tmp_path / "study/lidia/model.pt"
    made = weights.stat().st_mtime_ns
    config = BUNDLE / "configs/study.json"
    run(config_file=str(config), systems={"lidia": system}, draws=5, logging_file=False, **options)
    assert weights.stat().st_mtime_ns == made
    assert "| lidia+pixelcount |" in (tmp_path / "study/study.md").read_text()


def test_every_system_of_the_config_names_overlays_that_are_there() -> None:
    systems = json.loads((BUNDLE / "configs/study.json").read_text())["systems"]
    assert len(systems) >= 14 and "lidia" in systems
    for system in systems.values():
        assert all((BUNDLE / "configs/overlays" / name).is_file() for name in system["overlays"])
