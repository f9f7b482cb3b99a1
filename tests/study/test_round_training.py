"""A training in rounds, killed in one of them, ends in the same bits as an uninterrupted training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from config_names import read
from ignite.engine import Events
from monai.bundle import ConfigParser, create_workflow
from test_configs import CONFIGS, TRAINING
from training.toys import write_toys

from experiments.study.cohorts import COHORTS, Cohort
from experiments.study.jobs import Job, StudyPaths, Weights, list_training_files
from experiments.study.process import StudyError
from experiments.study.rounds import fill_cache, locate_round_weights, make_round_job, train_round
from experiments.study.systems import Run, read_systems
from scripts.lidia.runtime.weights import read_state
from scripts.lidia.training.curriculum import Curriculum

# MONAI's word of caution about foreign configs; these are our own.
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

OVERLAYS = ["experiments/configs/convergence_data.yaml", "experiments/configs/convergence_rate.yaml"]
TINY = {key: TRAINING[key] for key in ("roi_size", "spacing", "steps_per_epoch")}
TINY |= {"network_def#channels": [8, 8, 8, 8], "device": "$torch.device('cpu')", "patch_size": [32, 32, 16]}
# The warm-up is two steps; the stages of the overlay begin after epochs that this training does not reach,
# so it has stages of its own, which also begin after a fixed number of epochs
TINY |= {"train#lr_scheduler#lr_lambda#steps": 20}
STAGES = {
    "semantic": {"start": 0.0, "decoding": False, "crop": [32, 32, 16], "cases": 2},
    "queries": {"start": "$1 / @max_epochs", "decoding": True, "cases": 1},
}


def make_paths(folder: Path, toys: Path) -> StudyPaths:
    cohorts = {name: Cohort(str(toys), None, name, {}) for name in COHORTS}
    return StudyPaths(CONFIGS.parent, folder, cohorts)


def make_run() -> Run:
    (system,) = read_systems({"lidia": {"overlays": OVERLAYS}})
    return Run(system, 0)


class Stopped(Exception):
    pass


def stop(engine: Any) -> None:
    raise Stopped


def test_a_training_in_rounds_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    toys = write_toys(tmp_path / "toys")
    files = [str(file) for file in list_training_files(make_paths(tmp_path, toys), make_run())]

    def training(folder: str, epochs: int) -> Any:
        built = create_workflow(
            config_file=files,
            workflow_type="train",
            logging_file=False,
            **TINY,
            **{"train#stages": STAGES, "max_epochs": epochs, "dataset_dir": str(toys)},
            **{"output_dir": str(tmp_path / folder), "cache_dir": str(tmp_path / "cache")},
        )
        built.initialize()
        return built

    training("whole", 4).run()
    training("rounds", 2).run()
    second = training("rounds", 4)
    second.trainer.add_event_handler(Events.ITERATION_STARTED(once=6), stop)  # in the third epoch
    with pytest.raises(RuntimeError):
        second.run()
    torch.rand(3)
    training("rounds", 4).run()
    whole, rounds = (read_state(tmp_path / name / "state_epoch=4.pt") for name in ("whole", "rounds"))
    for part in ("network", "average"):
        assert all(torch.equal(value, rounds[part][key]) for key, value in whole[part].items()), part
    assert not (tmp_path / "whole/model.pt").is_file(), "the rounds are evaluated by evaluate.json alone"
    # Constant after the warm-up of two steps
    assert whole["lr_scheduler"]["_last_lr"] == [0.001, 0.001]
    name = "semantic_head.liver.weight"
    assert not torch.equal(whole["network"][name], whole["average"][name])


def test_the_cache_is_filled_before_the_first_step(tmp_path: Path) -> None:
    toys = write_toys(tmp_path / "toys")
    fill_cache(make_paths(tmp_path, toys), make_run(), TINY)
    (folder,) = [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]
    assert len(list(folder.glob("*.pt"))) == 3, "one file for each training patient"


def test_the_weights_of_a_round_are_the_averaged_ones(tmp_path: Path) -> None:
    job = Job("lidia/training", "training", ["true"], tmp_path, "", "key", None, 0.0)
    weights = locate_round_weights(job, 3, 6)
    assert weights.file == tmp_path / "rounds/03/model.pt" and isinstance(weights, Weights)
    torch.save({"average": {"weight": torch.ones(2)}, "network": {}}, tmp_path / "state_epoch=6.pt")
    train_round(job, weights, 6)
    assert read_state(weights.file)["weight"].tolist() == [1, 1]
    earlier = locate_round_weights(job, 2, 4)
    with pytest.raises(StudyError, match="already further"):
        train_round(job, earlier, 4)
    assert weights.key != earlier.key


def test_all_rounds_have_one_key(tmp_path: Path) -> None:
    paths, run = make_paths(tmp_path, tmp_path), make_run()
    first, second = (make_round_job(paths, run, {}, epochs) for epochs in (10, 20))
    assert first.key == second.key and second.command[-2:] == ["--max_epochs", "20"]
    assert first.portable_command.endswith("--max_epochs 10")


def test_all_systems_have_the_same_data() -> None:
    """Grid, crops, stages, augmentation and preprocessing; only nnU-Net with SGD has a rate of its own."""
    content = read(CONFIGS.parents[1] / "experiments/configs/convergence.json")
    deformation = read(CONFIGS / "overlays/recipes/real_ct.yaml")["train#crop#deformation"]
    data, rates = {}, {}
    for system in read_systems(content["systems"]):
        files = list_training_files(make_paths(Path(), Path()), Run(system, 0))
        parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
        parser.update(dict(system.training))
        keys = ("crop", "stages", "augmentation", "preprocessing", "batches", "validation#_disabled_")
        data[system.name] = [parser.get(f"train#{key}") for key in keys]
        data[system.name] += [parser.get(key) for key in ("spacing", "patch_size", "window", "batch_size")]
        data[system.name] += [parser.get(key) for key in ("random_subset_prob", "steps_per_epoch")]
        schedule = parser.get("train#lr_scheduler#lr_lambda")
        keys = ("learning_rate", "ema_decay", "min_lr_factor")
        rates[system.name] = [*(parser.get(key) for key in keys), schedule["power"], schedule["steps"]]
        assert parser.get("train#crop")["deformation"] == deformation
    assert all(settings == data["lidia"] for settings in data.values())
    length = content["round_lengths"]["nnunet_sgd"]["schedule_epochs"] * 100
    assert rates.pop("nnunet_sgd") == [0.01, 0.0, 0.02, 0.9, length]
    assert all(settings == [0.001, 0.999, 1.0, None, 2000] for settings in rates.values())


@pytest.mark.parametrize("epochs", [1, 4, 5, 9, 12, 13, 16, 17, 27, 28, 29, 40, 500])
def test_stages_begin_after_the_same_epochs_in_any_round(epochs: int) -> None:
    stages = read(CONFIGS.parents[1] / OVERLAYS[0])["train#stages"]
    for stage in stages.values():
        start = str(stage["start"]).removeprefix("$").replace("@max_epochs", str(epochs))
        stage |= {"start": eval(start), "crop": stage.get("crop", ""), "cases": ""}
    handler = Curriculum(network=torch.nn.Identity(), crop=None, batches=None, stages=stages)  # type: ignore[arg-type]
    for name, first in (("queries", 13), ("larger", 17), ("full", 29)):
        own = [
            e
            for e in range(1, epochs + 1)
            if handler.collect_settings(e, epochs)["start"] == stages[name]["start"]
        ]
        assert own[:1] == [first][: epochs >= first]


@pytest.mark.parametrize("name", ["study", "convergence"])
def test_every_system_of_the_quick_run_can_be_trained(name: str) -> None:
    """Its overlays exist, and each network has the recipe that it needs and no other."""
    folder = CONFIGS.parents[1] / "experiments/configs"
    content = ConfigParser.load_config_files([
        str(folder / f"{name}.json"),
        str(folder / f"{name}_quick.yaml"),
    ])
    for system in read_systems(content["systems"]):
        files = list_training_files(make_paths(Path(), Path()), Run(system, 0))
        parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
        parser.update(dict(system.training))
        for need in parser.get("_needs_"):
            assert parser.get(need["key"]) == need["value"], f"{system.name}: {need}"
