"""The order, the ends and the resuming of the trainings to convergence, with fake processes."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from study import fake_process

from experiments.study import jobs, train_row
from experiments.study.converge import run_convergence
from experiments.study.curve import read_curve
from experiments.study.process import StudyError

BUNDLE = Path(__file__).parents[2] / "lidia_bundle"
UNET = ["networks/unet.yaml", "baselines/unet.yaml"]
SYSTEMS: dict[str, dict[str, Any]] = {
    "lidia": {},
    "unet": {"overlays": UNET},
    "early": {"overlays": ["networks/fusion_early.yaml"]},
    "lidia_1h": {},
    "sgd": {"overlays": [*UNET, "networks/fusion_ifm.yaml"]},
}
SYSTEMS = {name: {**system, "cohorts": ["internal"]} for name, system in SYSTEMS.items()}
ROUNDS = {name: {"epochs": 2} for name in SYSTEMS} | {"sgd": {"epochs": 2, "schedule_epochs": 3}}
PARTS = {
    "a": {"systems": ["lidia", "unet", "early"], "cap_hours": 3.0},
    "b": {"systems": ["lidia", "best_rival"], "seed": 1, "cap_hours": 0.5},
    "c": {"systems": ["lidia_1h"], "cap_hours": 0.75},
    "d": {"systems": ["sgd"], "cap_hours": 3.0},
}
FLAT = {"auc8": [0.9], "dice": [0.7]}
RISING = {"auc8": [0.5 + 0.05 * number for number in range(9)], "dice": [0.4]}
PLAN: dict[str, dict[str, Any]] = {
    "lidia": {"seconds": 450.0, **FLAT},  # 900 s a round: 12 rounds under the cap, but nine are flat
    "unet": {"seconds": 1000.0, **RISING},  # 2000 s a round: five rounds, 10 000 s of 10 800 s
    "early": {"seconds": 1800.0, "auc8": [0.6], "dice": [0.7]},  # 3600 s a round: three rounds
    "lidia_seed1": {"seconds": 450.0, **FLAT},
    "unet_seed1": {"seconds": 1000.0, **RISING},
    "lidia_1h": {"seconds": 0.0, **FLAT},  # the first three rounds of lidia, 2700 s of 2700 s
    "sgd": {"seconds": 10.0, **FLAT},
}
PLAN = {
    name: {
        key: value * (9 // len(value)) if isinstance(value, list) else value
        for key, value in settings.items()
    }
    for name, settings in PLAN.items()
}
Study = Callable[..., Any]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Runs the study in a folder with fake processes, and returns its archive."""
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    items = [{"id": "P1", "phases": {"nc": "P1.nii.gz"}}]
    (cohort / "dataset.json").write_text(json.dumps({"recipe": "cafe", "training": items, "test": items}))
    interpreter = tmp_path / "python"
    interpreter.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{fake_process.__file__}" "$@"\n')
    interpreter.chmod(0o755)

    def run(name: str = "study", plan: dict[str, Any] | None = None, **options: Any) -> Path:
        output = tmp_path / name
        output.mkdir(exist_ok=True)
        (output / "plan.json").write_text(json.dumps(plan or PLAN))
        torch.save({"average": {"weight": torch.zeros(1)}, "network": {}}, output / "state.pt")
        options = {"systems": SYSTEMS, "parts": PARTS, "round_lengths": ROUNDS} | options
        folders = {"dataset_dir": str(cohort), "external_dir": str(cohort), "output_dir": str(output)}
        with (
            patch.object(jobs.sys, "executable", str(interpreter)),
            patch.object(train_row, "fill_cache", lambda *_: None),
        ):
            outcome = run_convergence(bundle_root=str(BUNDLE), **folders, **options)
        outcome.finish()
        return outcome.archive

    return run


def processes(archive: Path) -> list[str]:
    return (archive.parent / "processes").read_text().splitlines()


def digests(archive: Path) -> dict[str, str]:
    return {
        str(path.relative_to(archive)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(archive.rglob("*"))
        if path.is_file()
    }


def test_rows_end_by_rule_cap_or_schedule_in_order(study: Study) -> None:
    archive = study()
    ends = {}
    for name in PLAN:
        curve = read_curve(archive, name)
        assert curve is not None
        ends[name] = (curve.ended, len(curve.rounds), curve.rounds[-1].cpu_seconds)
    assert ends == {
        "lidia": ("rule", 9, 8100.0),
        "unet": ("cap", 5, 10000.0),
        "early": ("cap", 3, 10800.0),
        "lidia_seed1": ("cap", 2, 1800.0),
        # The U-Net ends at 0.65 (mean of 0.6, 0.65, 0.7) and early fusion at 0.6, so the U-Net is the best
        # rival. Its first round takes 2000 s and is run although the cap is 1800 s
        "unet_seed1": ("cap", 1, 2000.0),
        "lidia_1h": ("cap", 3, 2700.0),
        "sgd": ("schedule", 2, 30.0),
    }
    runs = [line.split()[1] for line in processes(archive) if line.startswith("training")]
    order = ["lidia", "unet", "early", "lidia_seed1", "unet_seed1", "sgd"]
    assert list(dict.fromkeys(runs)) == order, "lidia_1h is the beginning of lidia and is not trained again"
    last = [line.split()[2] for line in processes(archive) if line.startswith("training sgd ")]
    assert last == ["2", "3"], "the last round ends with the schedule"
    curve = read_curve(archive, "lidia_1h")
    assert curve is not None and curve.shared_with == "lidia"
    budget = json.loads((archive / "lidia_1h/budget.json").read_text())
    assert (budget["steps"], budget["cpu_seconds"]) == (600, 2700.0)
    patients = gzip.decompress((archive / "lidia/rounds/03/patients.csv.gz").read_bytes()).decode()
    assert patients.splitlines()[1] == "P1,0.03", "a round is evaluated with its own weights"
    shared = gzip.decompress((archive / "lidia_1h/internal/patients.csv.gz").read_bytes()).decode()
    assert shared.splitlines()[1] == "P1,0.03", "a shorter row is evaluated at its own end"


def test_finished_rows_are_not_run_again_here_or_elsewhere(study: Study, tmp_path: Path) -> None:
    parts = {"a": {"systems": ["lidia", "unet"], "cap_hours": 3.0}}
    archive = study(parts=parts)
    first, before = processes(archive), digests(archive)
    study(parts=parts)
    assert processes(archive) == first and digests(archive) == before
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    archive.rename(elsewhere / "convergence")
    assert digests(study("elsewhere", parts=parts)) == before
    assert not (elsewhere / "processes").is_file()
    # A larger cap continues: the U-Net has 15 rounds of 2000 s and RISING is constant at the end
    longer = study("elsewhere", parts={"a": {"systems": ["lidia", "unet"], "cap_hours": 9.0}})
    curve = read_curve(longer, "unet")
    assert curve is not None and curve.ended == "rule" and len(curve.rounds) > 5
    assert [line.split()[2] for line in processes(longer) if line.startswith("training")][0] == "12"


def test_a_killed_row_equals_an_uninterrupted_one(study: Study) -> None:
    parts = {"a": {"systems": ["unet"], "cap_hours": 3.0}}
    whole = study("whole", parts=parts)
    dies = {"unet": PLAN["unet"] | {"dies_in": 6}}
    with pytest.raises(StudyError, match="unet/training was killed by signal 9"):
        study("broken", plan=dies, parts=parts)
    # The second round was stored; the third was interrupted after its first epoch
    broken = whole.parents[1] / "broken/convergence"
    curve = read_curve(broken, "unet")
    assert curve is not None and len(curve.rounds) == 2 and curve.ended is None
    study("broken", plan=dies, parts=parts)
    assert digests(broken) == digests(whole)
    assert (broken.parent / "unet/epochs").read_text().split() == [str(n) for n in range(1, 11)]


def test_another_config_starts_the_row_again(study: Study) -> None:
    parts = {"a": {"systems": ["sgd"], "cap_hours": 3.0}}
    archive = study(parts=parts)
    changed = study(parts=parts, options={"batch_size": 3})
    assert changed == archive and (archive.parent / "sgd.old1/epochs").read_text() == "1 2 3 "
    assert (archive.parent / "sgd/epochs").read_text() == "1 2 3 "
    curve = read_curve(archive, "sgd")
    assert curve is not None and "--batch_size 3" in curve.command


def test_a_row_does_not_begin_without_budget(study: Study) -> None:
    # 8100 s of lidia are more than 2 h; the rows after it are not run
    archive = study(parts={"a": {"systems": ["lidia", "unet"], "cap_hours": 3.0}}, budget_hours=2.0)
    assert read_curve(archive, "lidia") is not None and read_curve(archive, "unet") is None


def test_a_failed_row_does_not_stop_the_others(study: Study, tmp_path: Path) -> None:
    plan = {name: settings for name, settings in PLAN.items() if name != "early"}
    parts = {key: PARTS[key] for key in ("a", "b", "d")}
    with pytest.raises(StudyError, match="early/training"):
        study(plan=plan, parts=parts)
    finished = {path.parent.name for path in (tmp_path / "study/convergence").glob("*/budget.json")}
    assert finished == {"lidia", "unet", "lidia_seed1", "sgd"}, "the best rival is not known"


def test_phase_subsets_are_evaluated_for_the_reference_and_the_best_rival(study: Study) -> None:
    parts = {"a": {"systems": ["unet", "early"], "cap_hours": 0.1}}
    phases = {"systems": ["early", "best_rival"], "patients": 3, "subsets": [["venous"]]}
    archive = study(parts=parts, reference="early", phases=phases)
    assert {path.parents[2].name for path in archive.glob("*/phases/venous/job.json")} == {"unet", "early"}


def test_max_epochs_belongs_to_the_rounds(study: Study) -> None:
    with pytest.raises(ValueError, match="max_epochs"):
        study(options={"max_epochs": 3})


def test_a_config_that_changes_during_the_run_is_an_error(study: Study, tmp_path: Path) -> None:
    parts = {"a": {"systems": ["sgd"], "cap_hours": 3.0}}
    with (
        patch.object(train_row, "_compute_key", side_effect=["before", "before", "after"]),
        pytest.raises(StudyError, match="sgd: a config or an overlay has changed"),
    ):
        study(parts=parts)
    curve = read_curve(tmp_path / "study/convergence", "sgd")
    assert curve is not None and len(curve.rounds) == 1, "the round before the change is kept"
