"""Evaluations of invented patients by the bundle's own metrics, the content of a study's archive."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from experiments.study.archive import store_result
from experiments.study.cohorts import Cohort
from experiments.study.jobs import Job, StudyPaths
from experiments.study.systems import Run, read_systems
from scripts.lidia.components import label_components
from scripts.lidia.evaluation.evaluation_files import write_evaluation
from scripts.lidia.evaluation.patient_metrics import PatientScores
from scripts.lidia.metrics.patient_rows import SCORES
from scripts.lidia.postprocess.diagnosis import Diagnosis
from scripts.lidia.vocabulary import LESION_TYPES

SHAPE = (36, 20, 12)
PLACES = tuple((x, y) for y in (3, 12) for x in (3, 11, 19, 27))
SIDES = {"malignant": (0, 1, 2), "benign": (3, 4, 5, 6), "benign_authors": (3, 4)}
COHORTS = {name: Cohort("", "cafe", name, {"test": 40}) for name in ("internal", "external")}


def maps(kinds: list[int], size: int = 5) -> np.ndarray:
    """A liver with a cube a lesion; kind 0 leaves its place empty."""
    classes = np.zeros(SHAPE, np.int16)
    classes[1:-1, 1:-1, 1:-1] = 1
    for kind, (x, y) in zip(kinds, PLACES, strict=False):
        if kind:
            classes[x : x + size, y : y + size, 3 : 3 + size] = kind
    return classes


@cache
def truths(count: int) -> tuple[tuple[int, ...], ...]:
    """Lesion types by place of each patient; the same for all systems."""
    generator = np.random.default_rng(0)
    return tuple(
        tuple(int(kind) for kind in np.where(generator.random(4) < 0.6, generator.integers(2, 10, 4), 0))
        for _ in range(count)
    )


def evaluate(folder: Path, *, seed: int, skill: float, count: int = 40, draws: int = 40) -> Path:
    """Files of an evaluation of a network of a certain skill, 0..1."""
    generator = np.random.default_rng(seed)
    scores = PatientScores()
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    from monai.data import MetaTensor

    for number, kinds in enumerate(truths(count)):
        truth = maps(list(kinds))
        predicted = [
            kind
            if kind and generator.random() < skill
            else int(generator.integers(2, 10)) * (generator.random() < 0.4)
            for kind in kinds
        ]
        classes = np.where(maps(predicted, 4) > 1, maps(predicted, 4), 0).astype(np.uint8)
        instances = label_components(classes).astype(np.uint16)
        present = np.array([kind in kinds for kind in range(2, 10)], float)
        raw = dict(
            zip(
                LESION_TYPES,
                1 / (1 + np.exp(-(3 * skill * present + generator.normal(size=8) - 1))),
                strict=True,
            )
        )
        raw |= {side: max(raw[LESION_TYPES[at]] for at in parts) for side, parts in SIDES.items()}
        volumes = {name: float(8 * (classes == at + 2).sum()) for at, name in enumerate(LESION_TYPES)}
        volumes |= {side: sum(volumes[LESION_TYPES[at]] for at in parts) for side, parts in SIDES.items()}
        records = [
            {
                "instance": entry,
                "probabilities": dict(zip(LESION_TYPES, generator.dirichlet(np.ones(8)), strict=True)),
            }
            for entry in range(1, int(instances.max()) + 1)
        ]
        scored = ({name: table[name] for name in SCORES} for table in (raw, volumes))
        diagnosis = Diagnosis(classes, instances, truth > 0, records, *scored, [])
        label = np.stack([truth, label_components(np.where(truth > 1, truth, 0))]).astype(np.int16)
        patient = {"id": f"P{number:03}", "label": MetaTensor(label, affine=affine), "diagnosis": diagnosis}
        scores([patient])
    write_evaluation(folder, scores.rows(), scores, draws=draws)
    return folder


def archived(archive: Path, run: str, cohort: str, folder: Path) -> None:
    """Takes an evaluation into an archive, as the study does."""
    job = Job(f"{run}/{cohort}", "evaluation", [], folder, "python", "key", None, 0.0)
    store_result(archive, job, StudyPaths(Path(), Path(), COHORTS), None, 0)


def trained(archive: Path, folder: Path, run: Run, steps: int = 20) -> None:
    """Takes a training into an archive; its log says 30 CPU seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"Epoch[{number}] Metrics -- cpu_seconds: 10.0000 loss: 1" for number in (1, 2, 2, 3)]
    (folder / "training.log").write_text("\n".join(lines))
    job = Job(f"{run.name}/training", "training", [], folder, "python", "key", None, 0.0)
    store_result(archive, job, StudyPaths(Path(), Path(), COHORTS), run, steps)


def write_archive(folder: Path, systems: dict[str, dict], skills: dict[str, float]) -> Path:
    """An archive of both cohorts for the runs that have a skill."""
    archive = folder / "study"
    for system in read_systems(systems):
        for seed in range(system.seeds):
            run = Run(system, seed)
            if run.name not in skills:
                continue
            trained(archive, folder / run.name, run)
            for number, cohort in enumerate(COHORTS):
                place = folder / run.name / cohort
                # Seeds as far apart as systems, so that no two networks err alike
                evaluate(place, seed=1000 * number + len(run.name) * 7 + seed, skill=skills[run.name])
                archived(archive, run.name, cohort, place)
    return archive


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))
