"""Train in rounds that resume: the jobs of a round, and its weights.

A round is the same training with a larger `max_epochs`. The job of every round has the same key, because the
training does not depend on where a round ends: the learning rate and the stages depend on the step alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from tqdm import tqdm

from experiments.study.cohorts import hash_content
from experiments.study.jobs import Job, StudyPaths, Weights, list_training_files, make_training_job
from experiments.study.process import StudyError, is_begun, run_job
from experiments.study.systems import Run
from scripts.lidia.atomic import write_atomically
from scripts.lidia.runtime.weights import read_state

logger = logging.getLogger(__name__)


def make_round_job(paths: StudyPaths, run: Run, options: Mapping[str, Any], epochs: int) -> Job:
    """Make the training job of a round.

    Args:
        paths: of the study.
        run: the run.
        options: given to every training.
        epochs: epochs of the training at the end of the round.

    Raises:
        ValueError: `max_epochs` is set, which the rounds set.
    """
    if "max_epochs" in {**options, **run.system.training}:
        raise ValueError(f"{run.name}: the rounds set max_epochs; remove it from options and training.")
    job = make_training_job(paths, run, options, 0.0)
    return job._replace(
        command=[*job.command, "--max_epochs", str(epochs)],
        portable_command=f"{job.portable_command} --max_epochs {epochs}",
    )


def locate_round_weights(job: Job, number: int, epochs: int) -> Weights:
    """Return the weights of a round.

    Args:
        job: training job of the round.
        number: of the round, from 1.
        epochs: epochs of the training at its end.
    """
    return Weights(job.folder / f"rounds/{number:02d}/model.pt", hash_content([job.key, epochs]), None)


def train_round(job: Job, weights: Weights, epochs: int) -> None:
    """Train to the end of a round and write its averaged weights, unless they exist.

    Args:
        job: training job of the round.
        weights: of the round.
        epochs: epochs of the training at its end.

    Raises:
        StudyError: the training failed, or its folder holds a later state than that of the round.
    """
    if is_begun(job) and weights.file.is_file():
        return
    run_job(job)
    state = job.folder / f"state_epoch={epochs}.pt"
    if not state.is_file():
        raise StudyError(
            f"{job.name}: {state} is not there, because the training is already further. Remove {job.folder} "
            "to train this system again."
        )
    with write_atomically(weights.file) as temporary:
        torch.save(read_state(state)["average"], temporary)


def fill_cache(paths: StudyPaths, run: Run, options: Mapping[str, Any]) -> None:
    """Prepare all training patients once, so that no system's CPU seconds contain it.

    Args:
        paths: of the study.
        run: whose preprocessing is used.
        options: given to every training.
    """
    files = [str(file) for file in list_training_files(paths, run)]
    settings = {
        **options,
        **run.system.training,
        "dataset_dir": paths.cohorts["internal"].folder,
        "cache_dir": str(paths.output / "cache"),
    }
    parser = ConfigParser(ConfigParser.load_config_files(files))
    parser.update(settings)
    dataset = parser.get_parsed_content("train#dataset")
    logger.info("Preparing %d training patients in %s", len(dataset), Path(settings["cache_dir"]))
    for index in tqdm(range(len(dataset)), desc="preparing"):
        dataset[index]
