"""A study killed at random moments: its archive holds whole rows alone, and going on repeats none of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from kills import pretending
from kills.killing import all_readable, files, moments, run

from experiments.study import jobs
from experiments.study.runner import run_study

BUNDLE = Path(__file__).parents[2] / "lidia_bundle"
SYSTEMS = {"lidia": {"seeds": 2}, "unet": {"overlays": ["networks/unet.yaml", "baselines/unet.yaml"]}}
RESULTS = ("model.pt", "metrics.json", "difficulty.json")
PHASES = {"systems": ["lidia"], "patients": 1, "subsets": [["nc"], ["nc", "venous"]]}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A list of patients is all that the study itself reads."""
    folder = tmp_path_factory.mktemp("cohort")
    items = [{"id": "P1", "phases": {"nc": "P1.nii.gz"}}]
    (folder / "dataset.json").write_text(json.dumps({"recipe": "cafe", "training": items, "test": items}))
    return str(folder)


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the study takes for Python."""
    path = tmp_path_factory.mktemp("bin") / "python"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{pretending.__file__}" "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_study(cohort: str, interpreter: str, tmp_path: Path) -> None:
    def job(folder: Path) -> Callable[[], Any]:
        def study() -> None:
            with patch.object(jobs.sys, "executable", interpreter):
                run_study(
                    systems=SYSTEMS,
                    dataset_dir=cohort,
                    external_dir=cohort,
                    output_dir=str(folder),
                    bundle_root=str(BUNDLE),
                    phases=PHASES,
                    probe_steps=0,
                ).finish()

        return study

    complete, broken = moments(job, tmp_path, "study")
    reference = files(complete / "study")
    assert sum(name.endswith("job.json") for name in reference) == 3 * 2 + 2 + 2
    for folder, after in broken:
        run(job(folder), after=after)
        remaining = folder / "study"
        all_readable(remaining, reference)
        process = {stamp.parent for stamp in folder.rglob("*.done")}
        results = [path for at in process for path in at.iterdir() if path.name in RESULTS]
        finished = [*remaining.rglob("job.json"), *results]
        before = {path: path.stat().st_mtime_ns for path in finished}
        assert run(job(folder)) == 0
        assert files(remaining) == reference
        repeated = [path for path, when in before.items() if path.stat().st_mtime_ns != when]
        assert repeated == [], "what was trained or judged is not done again"
        for steps in folder.rglob("steps"):
            assert steps.read_text() == "0 1 2 3 4 ", "a step is done once"
