"""The processes of a study: each is a config of the bundle with overlays and options, and known by a hash."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from monai.bundle import ConfigParser

from experiments.study.cohorts import COHORTS, Cohort, hash_content
from experiments.study.systems import Run
from scripts.lidia.inference.phase_ablation import list_phase_subsets
from scripts.lidia.runtime.weights import hash_file as file_digest

HEADER = {"imports", "_comment", "repository", "bundle_root", "bootstrap"}
"""Keys of a config that only find the bundle."""
NETWORKS = "networks/"
"""Overlays in this folder change the network and apply to every job; the others apply to a training alone."""


class Job(NamedTuple):
    """One process of a study."""

    name: str
    """`RUN/training`, `RUN/internal`, `RUN/external`, `RUN/phases/nc+venous`, `RUN/cases`, `oracle/external`
    and the like."""
    kind: str
    """`training`, `evaluation`, `cases` or `difficulty`: what it leaves behind."""
    command: list[str]
    folder: Path
    said: str
    """The command without the folders of this machine, for the record."""
    key: str
    """Hash of the configs in force, the options and the cohorts: the same key, the same result."""
    after: str | None
    """Name of the job whose result it reads."""
    cost: float
    """CPU seconds, roughly."""


class Weights(NamedTuple):
    """What an evaluation reads."""

    file: Path
    key: str
    """The same key, the same weights."""
    after: str | None
    """Name of the training that makes them; None where they are there already."""


class StudyPaths(NamedTuple):
    """Where a study reads and writes."""

    bundle: Path
    output: Path
    cohorts: Mapping[str, Cohort]
    """By COHORTS."""


def count_steps(places: StudyPaths, run: Run, options: Mapping[str, Any]) -> int:
    """Steps of a training: epochs by steps an epoch, as configs, overlays and options say."""
    content = ConfigParser.load_config_files([str(file) for file in _list_training_files(places, run)])
    content |= {**options, **run.system.training}
    return int(content["max_epochs"]) * int(content["steps_per_epoch"])


def make_training_job(places: StudyPaths, run: Run, options: Mapping[str, Any], cost: float) -> Job:
    """The training of a run."""
    folder = places.output / run.name
    chosen = {**options, **run.system.training, **({"seed": run.seed} if run.seed else {})}
    here = {
        "dataset_dir": places.cohorts["internal"].folder,
        "output_dir": folder,
        "cache_dir": places.output / "cache",
    }
    made_from = [places.cohorts["internal"].digest]
    files = _list_training_files(places, run)
    return _make_job(
        places, f"{run.name}/training", "training", "training", files, here, chosen, made_from, None, cost
    )


def locate_trained_weights(training: Job) -> Weights:
    """The weights that a training leaves behind."""
    return Weights(training.folder / "model.pt", training.key, training.name)


def find_given_weights(places: StudyPaths, run: Run) -> Weights | None:
    """The weights that a system names instead of a training; None where it has one.

    Raises:
        FileNotFoundError: they are not there.
    """
    if run.system.weights is None:
        return None
    file = places.bundle / run.system.weights
    if not file.is_file():
        raise FileNotFoundError(f"{file} is not there; the study's system '{run.system.name}' names it.")
    return Weights(file, file_digest(file), None)


def make_evaluation_jobs(
    places: StudyPaths, run: Run, weights: Weights, options: Mapping[str, Any], seconds: float
) -> Iterator[Job]:
    """The cohorts of a system judged by a run's weights.

    Args:
        places: of the study.
        run: whose weights are judged.
        weights: of the run.
        options: given to every evaluation.
        seconds: a patient.
    """
    for cohort in run.system.cohorts:
        place = places.cohorts[cohort]
        cost = seconds * place.counts.get("test", 0)
        yield _make_evaluation_job(places, run, weights, cohort, options, {}, f"{run.name}/{cohort}", cost)


def make_phase_jobs(
    places: StudyPaths,
    run: Run,
    weights: Weights,
    options: Mapping[str, Any],
    seconds: float,
    *,
    patients: int,
    subsets: Sequence[Sequence[str]] | None = None,
) -> Iterator[Job]:
    """The internal cohort judged with some of the phases, on the same patients, who have all four.

    Args:
        places: of the study.
        run: whose weights are judged.
        weights: of the run.
        options: given to every evaluation.
        seconds: a patient.
        patients: how many.
        subsets: of phases; by default all 15.
    """
    for subset in list_phase_subsets() if subsets is None else subsets:
        more = {"phases": list(subset), "complete_only": True, "patients": patients}
        name = f"{run.name}/phases/{'+'.join(subset)}"
        yield _make_evaluation_job(places, run, weights, "internal", options, more, name, seconds * patients)


def make_cases_job(
    places: StudyPaths, run: Run, weights: Weights, options: Mapping[str, Any], seconds: float, patients: int
) -> Job:
    """The first few patients of the internal test section who have all phases, to look at."""
    more = {"pages": False, "complete_only": True, "patients": patients}
    name, cost = f"{run.name}/cases", seconds * patients
    return _make_evaluation_job(
        places, run, weights, "internal", options, more, name, cost, kind="cases", config="inference.json"
    )


def make_difficulty_jobs(places: StudyPaths, seconds: float) -> Iterator[Job]:
    """Oracle and floor of both cohorts; they are given the cohorts and nothing else.

    Args:
        places: of the study.
        seconds: a patient.
    """
    internal = places.cohorts["internal"]
    for cohort in COHORTS:
        judged = places.cohorts[cohort]
        folder = places.output / "oracle" / cohort
        here = {"dataset_dir": internal.folder, "judged_dir": judged.folder}
        here["output"] = str(folder / "difficulty.json")
        cost = seconds * (internal.counts.get("training", 0) + judged.counts.get("test", 0))
        files = [places.bundle.parent / "experiments/configs/difficulty.json"]
        made_from = [internal.digest, judged.digest]
        name = f"oracle/{cohort}"
        yield _make_job(places, name, "difficulty", "run", files, here, {}, made_from, None, cost)


def _make_evaluation_job(
    places: StudyPaths,
    run: Run,
    weights: Weights,
    cohort: str,
    options: Mapping[str, Any],
    more: Mapping[str, Any],
    name: str,
    cost: float,
    *,
    kind: str = "evaluation",
    config: str = "evaluate.json",
) -> Job:
    """A run's weights and one of the two configs that use them, on a cohort."""
    here = {"dataset_dir": places.cohorts[cohort].folder, "output_dir": places.output / name}
    here["model_file"] = weights.file
    chosen = {**options, **run.system.evaluation, **more}
    configs = places.bundle / "configs"
    networks = [name for name in run.system.overlays if name.startswith(NETWORKS)]
    files = [configs / config, *(configs / "overlays" / name for name in networks)]
    made_from = [weights.key, places.cohorts[cohort].digest]
    return _make_job(places, name, kind, "evaluating", files, here, chosen, made_from, weights.after, cost)


def _list_training_files(places: StudyPaths, run: Run) -> list[Path]:
    configs = places.bundle / "configs"
    return [configs / "train.json", *(configs / "overlays" / overlay for overlay in run.system.overlays)]


def _make_job(
    places: StudyPaths,
    name: str,
    kind: str,
    run_id: str,
    files: Sequence[Path],
    here: Mapping[str, Any],
    chosen: Mapping[str, Any],
    made_from: Sequence[str],
    after: str | None,
    cost: float,
) -> Job:
    folder = places.output / (name.removesuffix("/training") if kind == "training" else name)
    start = ["-m", "monai.bundle", "run", run_id, "--config_file"]
    command = [sys.executable, *start, str([str(f) for f in files]), *_format_options({**here, **chosen})]
    portable = [str(f.relative_to(places.bundle.parent)) for f in files]
    said = shlex.join(["python", *start, str(portable), *_format_options(chosen)])
    contents = [_read_config(file) for file in files if file.is_file()]
    key = hash_content([kind, contents, portable, chosen, list(made_from)])
    return Job(name, kind, command, folder, said, key, after, cost)


def _read_config(file: Path) -> dict[str, Any]:
    """A config as it is read, without comments and without what finds the bundle."""
    return {k: v for k, v in ConfigParser.load_config_file(str(file)).items() if k not in HEADER}


def _format_options(options: Mapping[str, Any]) -> list[str]:
    return [part for key, value in options.items() for part in (f"--{key}", str(value))]
