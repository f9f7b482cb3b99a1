"""A small study from trainings to its page; finished rows are not repeated, here or from the archive."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, TextIO

import pytest
from config_names import read
from monai.bundle import run
from preloaded import run_preloaded
from test_configs import TRAINING
from training.toys import write_toys

from experiments.study.process import StudyError
from experiments.study.runner import run_study
from scripts.lidia.vocabulary import PHASES

# MONAI's word of caution about foreign configs; these are our own.
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

BUNDLE = Path(__file__).parents[2] / "lidia_bundle"
TINY = {key: TRAINING[key] for key in ("roi_size", "spacing")}
STEPS = {**{key: TRAINING[key] for key in ("steps_per_epoch", "train#stages")}, **TINY, "max_epochs": 1}
NARROW = {"network_def#channels": [8, 8, 8, 8]}


@pytest.mark.slow
def test_a_small_study_is_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_and_log(command: list[str], *, stdout: TextIO, env: dict[str, str], **_: Any) -> Any:
        outcome = run_preloaded(command, env=env)
        stdout.write(outcome.stdout + outcome.stderr)
        return outcome

    monkeypatch.setattr("experiments.study.process.subprocess.run", run_and_log)
    toys = str(write_toys(tmp_path / "toys"))
    good = {"training": NARROW, "evaluation": NARROW, "table": 1, "paper": "LIDIA"}
    broken = {"training": {"train#clip": "no number"}}
    options = {"dataset_dir": toys, "external_dir": toys, "output_dir": str(tmp_path / "study")}
    options |= {"options": STEPS, "evaluation": TINY, "probe_steps": 0, "difficulty": False}
    more = {"phases": {"systems": ["lidia"], "patients": 2, "subsets": [list(PHASES)]}}
    more["cases"] = {"system": "lidia", "patients": 1}
    outcome = run_study(systems={"lidia": good, "broken": broken}, bundle_root=str(BUNDLE), **options, **more)
    with pytest.raises(StudyError, match="broken/training failed"):
        outcome.finish()
    weights = tmp_path / "study/lidia/model.pt"
    created = weights.stat().st_mtime_ns
    config = str(BUNDLE.parent / "experiments/configs/study.json")
    # The command line cannot give null; a config can.
    without_archive = tmp_path / "without_archive.yaml"
    without_archive.write_text("archive: null\n", encoding="utf-8")
    again = {
        **options,
        **more,
        "systems": {"lidia": good},
        "draws": 5,
        "logging_file": False,
    }
    run(config_file=[config, str(without_archive)], **again)
    assert weights.stat().st_mtime_ns == created
    page = (tmp_path / "study/study.md").read_text(encoding="utf-8")
    assert "| lidia+pixelcount |" in page and "study/figures/phases.png" in page
    assert read(Path(config))["remarks"]["phases"][0] in page
    (case,) = (tmp_path / "study/study/lidia/cases").glob("*.png")
    assert case.read_bytes()[:4] == b"\x89PNG" and f"study/lidia/cases/{case.name}" in page

    # Another machine: nothing but the archive and the cohorts
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "study/study", elsewhere / "docs/study")
    shifted = again | {"output_dir": str(elsewhere), "archive": str(elsewhere / "docs/study")}
    run(config_file=config, **shifted)
    assert not (elsewhere / "lidia").exists(), "a row of the archive was run again"
    assert (elsewhere / "docs/study.md").read_text(encoding="utf-8") == page
    # The page alone asks for no cohort
    (elsewhere / "docs/study.md").unlink()
    pages = {key: shifted[key] for key in ("output_dir", "archive", "systems", "draws", "logging_file")}
    run("pages", config_file=config, dataset_dir="nowhere", external_dir="nowhere", **pages)
    assert (elsewhere / "docs/study.md").read_text(encoding="utf-8") == page
    assert json.loads((elsewhere / "docs/study.json").read_text())["budget"]["lidia+livermax"]["steps"] == 2
