"""Define the processes of a study: a config with overlays and options each, identified by a hash."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from monai.bundle import ConfigParser

from experiments.study.cohorts import COHORTS, Cohort, hash_content, read_cohort
from experiments.study.systems import Run
from scripts.lidia.inference.phase_ablation import list_phase_subsets
from scripts.lidia.runtime.weights import hash_file as file_digest

HEADER = {"imports", "_comment", "_comment_units", "repository", "bundle_root", "bootstrap"}
"""Keys of a config that only locate the bundle."""
NETWORKS = "networks/"
"""Overlays in this folder change the network and apply to every job; the others apply to a training alone."""


class Job(NamedTuple):
    """One process of a study."""

    name: str
    """`RUN/training`, `RUN/internal`, `RUN/external`, `RUN/phases/nc+venous`, `RUN/cases`, `oracle/external`
    and the like."""
    kind: str
    """`training`, `evaluation`, `round` (a validation of a training that is not finished), `cases` or
    `difficulty`: the type of its result."""
    command: list[str]
    folder: Path
    portable_command: str
    """The command without the folders of this machine, for the record."""
    key: str
    """Hash of configs, options and cohorts; equal keys mean equal results."""
    after: str | None
    """Name of the job whose result it reads; None if it needs none."""
    cost: float
    """Estimated CPU seconds."""


class Weights(NamedTuple):
    """Weights that an evaluation reads."""

    file: Path
    key: str
    """Equal keys mean equal weights."""
    after: str | None
    """Name of the training that makes them; None if they exist already."""


class StudyPaths(NamedTuple):
    """Folders and cohorts of a study."""

    bundle: Path
    output: Path
    cohorts: Mapping[str, Cohort]
    """By COHORTS."""

    @classmethod
    def read(cls, bundle_root: str, output_dir: str, dataset_dir: str, external_dir: str) -> Self:
        """Read both cohorts and make the paths absolute.

        Raises:
            FileNotFoundError: see `read_cohort`.
        """
        folders = zip(COHORTS, (dataset_dir, external_dir), strict=True)
        cohorts = {name: read_cohort(str(Path(folder).absolute())) for name, folder in folders}
        return cls(Path(bundle_root).absolute(), Path(output_dir).absolute(), cohorts)


def locate_overlay(bundle: Path, overlay: str) -> Path:
    """Return the file of an overlay; a name that begins with `experiments/` is a path in the repository."""
    return (bundle.parent if overlay.startswith("experiments/") else bundle / "configs/overlays") / overlay


def count_steps(paths: StudyPaths, run: Run, options: Mapping[str, Any]) -> int:
    """Count the steps of a training: epochs times steps per epoch, from configs, overlays and options."""
    content = ConfigParser.load_config_files([str(file) for file in list_training_files(paths, run)])
    content |= {**options, **run.system.training}
    return int(content["max_epochs"]) * int(content["steps_per_epoch"])


def make_training_job(paths: StudyPaths, run: Run, options: Mapping[str, Any], cost: float) -> Job:
    """Make the training job of a run."""
    folder = paths.output / run.name
    settings = {**options, **run.system.training, **({"seed": run.seed} if run.seed else {})}
    folders = {
        "dataset_dir": paths.cohorts["internal"].folder,
        "output_dir": folder,
        "cache_dir": paths.output / "cache",
    }
    sources = [paths.cohorts["internal"].digest]
    files = list_training_files(paths, run)
    return _make_job(
        paths, f"{run.name}/training", "training", "training", files, folders, settings, sources, None, cost
    )


def locate_trained_weights(training: Job) -> Weights:
    """Return the weights that a training will write."""
    return Weights(training.folder / "model.pt", training.key, training.name)


def find_given_weights(paths: StudyPaths, run: Run) -> Weights | None:
    """Find the weights that a system names instead of a training; None if it is trained.

    Raises:
        FileNotFoundError: the file does not exist.
    """
    if run.system.weights is None:
        return None
    file = paths.bundle / run.system.weights
    if not file.is_file():
        raise FileNotFoundError(f"{file} is not there; the study's system '{run.system.name}' names it.")
    return Weights(file, file_digest(file), None)


def make_evaluation_jobs(
    paths: StudyPaths, run: Run, weights: Weights, options: Mapping[str, Any], seconds: float
) -> Iterator[Job]:
    """Make the evaluation jobs of a run, one per cohort of its system.

    Args:
        paths: of the study.
        run: whose weights are evaluated.
        weights: of the run.
        options: given to every evaluation.
        seconds: CPU seconds per patient.
    """
    for cohort in run.system.cohorts:
        judged_cohort = paths.cohorts[cohort]
        cost = seconds * judged_cohort.counts.get("test", 0)
        yield _make_evaluation_job(paths, run, weights, cohort, options, {}, f"{run.name}/{cohort}", cost)


def make_validation_job(
    paths: StudyPaths, run: Run, weights: Weights, options: Mapping[str, Any], *, number: int, patients: int
) -> Job:
    """Make the evaluation job of a round of a training: the first internal validation patients.

    Args:
        paths: of the study.
        run: whose weights are evaluated.
        weights: after the round.
        options: given to every evaluation.
        number: of the round, from 1.
        patients: number of patients.
    """
    extra = {"section": "validation", "patients": patients}
    name = f"{run.name}/rounds/{number:02d}"
    return _make_evaluation_job(paths, run, weights, "internal", options, extra, name, 0.0, kind="round")


def make_phase_jobs(
    paths: StudyPaths,
    run: Run,
    weights: Weights,
    options: Mapping[str, Any],
    seconds: float,
    *,
    patients: int,
    subsets: Sequence[Sequence[str]] | None = None,
) -> Iterator[Job]:
    """Make the evaluation jobs of phase subsets on internal patients who have all four phases.

    Args:
        paths: of the study.
        run: whose weights are evaluated.
        weights: of the run.
        options: given to every evaluation.
        seconds: CPU seconds per patient.
        patients: number of patients.
        subsets: of phases; by default all 15.
    """
    for subset in list_phase_subsets() if subsets is None else subsets:
        more = {"phases": list(subset), "complete_only": True, "patients": patients}
        name = f"{run.name}/phases/{'+'.join(subset)}"
        yield _make_evaluation_job(paths, run, weights, "internal", options, more, name, seconds * patients)


def make_cases_job(
    paths: StudyPaths, run: Run, weights: Weights, options: Mapping[str, Any], seconds: float, patients: int
) -> Job:
    """Make the inference job of the first internal test patients who have all phases, for pictures."""
    more = {"pages": False, "complete_only": True, "patients": patients}
    name, cost = f"{run.name}/cases", seconds * patients
    return _make_evaluation_job(
        paths, run, weights, "internal", options, more, name, cost, kind="cases", config="inference.json"
    )


def make_difficulty_jobs(paths: StudyPaths, seconds: float) -> Iterator[Job]:
    """Make the jobs of oracle and floor for both cohorts; they depend on the cohorts only.

    Args:
        paths: of the study.
        seconds: CPU seconds per patient.
    """
    internal = paths.cohorts["internal"]
    for cohort in COHORTS:
        judged_cohort = paths.cohorts[cohort]
        folder = paths.output / "oracle" / cohort
        folders = {"dataset_dir": internal.folder, "judged_dir": judged_cohort.folder}
        folders["output"] = str(folder / "difficulty.json")
        cost = seconds * (internal.counts.get("training", 0) + judged_cohort.counts.get("test", 0))
        files = [paths.bundle.parent / "experiments/configs/difficulty.json"]
        sources = [internal.digest, judged_cohort.digest]
        name = f"oracle/{cohort}"
        yield _make_job(paths, name, "difficulty", "run", files, folders, {}, sources, None, cost)


def _make_evaluation_job(
    paths: StudyPaths,
    run: Run,
    weights: Weights,
    cohort: str,
    options: Mapping[str, Any],
    extra: Mapping[str, Any],
    name: str,
    cost: float,
    *,
    kind: str = "evaluation",
    config: str = "evaluate.json",
) -> Job:
    """Make the job that applies a run's weights to a cohort, by evaluate.json or inference.json."""
    folders = {"dataset_dir": paths.cohorts[cohort].folder, "output_dir": paths.output / name}
    folders["model_file"] = weights.file
    settings = {**options, **run.system.evaluation, **extra}
    networks = [name for name in run.system.overlays if name.startswith(NETWORKS)]
    files = _list_config_files(paths, config, networks)
    sources = [weights.key, paths.cohorts[cohort].digest]
    return _make_job(paths, name, kind, "evaluating", files, folders, settings, sources, weights.after, cost)


def list_training_files(paths: StudyPaths, run: Run) -> list[Path]:
    """List the config of a training and its overlays."""
    return _list_config_files(paths, "train.json", run.system.overlays)


def _list_config_files(paths: StudyPaths, config: str, overlays: Sequence[str]) -> list[Path]:
    overlay_files = [locate_overlay(paths.bundle, overlay) for overlay in overlays]
    return [paths.bundle / "configs" / config, *overlay_files]


def _make_job(
    paths: StudyPaths,
    name: str,
    kind: str,
    run_id: str,
    files: Sequence[Path],
    folders: Mapping[str, Any],
    settings: Mapping[str, Any],
    sources: Sequence[str],
    after: str | None,
    cost: float,
) -> Job:
    folder = paths.output / (name.removesuffix("/training") if kind == "training" else name)
    start = ["-m", "monai.bundle", "run", run_id, "--config_file"]
    command = [
        sys.executable,
        *start,
        str([str(f) for f in files]),
        *_format_options({**folders, **settings}),
    ]
    portable = [str(f.relative_to(paths.bundle.parent)) for f in files]
    record = shlex.join(["python", *start, str(portable), *_format_options(settings)])
    contents = [_read_config(file) for file in files if file.is_file()]
    key = hash_content([kind, contents, portable, settings, list(sources)])
    return Job(name, kind, command, folder, record, key, after, cost)


def _read_config(file: Path) -> dict[str, Any]:
    """Read a config without comments and without the HEADER keys."""
    return {k: v for k, v in ConfigParser.load_config_file(str(file)).items() if k not in HEADER}


def _format_options(options: Mapping[str, Any]) -> list[str]:
    return [part for key, value in options.items() for part in (f"--{key}", str(value))]
