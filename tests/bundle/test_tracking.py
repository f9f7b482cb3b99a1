"""Tracking by MLflow: off by default; on request it has runs, parameters, metrics and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_configs import CONFIGS, NATIVE, TRAINING, workflow
from training.toys import save_network, write_toys

# MONAI's word of caution about foreign configs; these are our own. MLflow's own are its own.
pytestmark = [
    pytest.mark.filterwarnings("ignore:parsing config_file"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ROUTES = {"by its name": "mlflow", "by our settings": str(CONFIGS / "mlflow.json")}


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toys(tmp_path_factory.mktemp("toys"))


def only_run(folder: Path) -> tuple[Any, set[str]]:
    """The one run of a folder's database, and the names of its artefacts."""
    mlflow = pytest.importorskip("mlflow")
    client = mlflow.tracking.MlflowClient(f"sqlite:///{folder}/mlruns.db")
    result = client.search_runs([entry.experiment_id for entry in client.search_experiments()])
    assert len(result) == 1
    return result[0], {file.path for file in client.list_artifacts(result[0].info.run_id)}


@pytest.mark.parametrize("tracking", ROUTES.values(), ids=ROUTES)
def test_a_training_is_one_run(tracking: str, toys: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    options = {**TRAINING, "dataset_dir": str(toys), "output_dir": str(tmp_path), "max_epochs": 2}
    workflow("train", **options, cache_dir=str(tmp_path / "cache"), tracking=tracking).run()
    run, files = only_run(tmp_path)
    assert run.info.status == "FINISHED"
    assert run.data.params["max_epochs"] == "2"
    assert {"auc8", "loss", "semantic", "learning_rate"} <= run.data.metrics.keys()
    if tracking != "mlflow":  # whose own settings lose the config where output_dir is no expression
        assert any(name.startswith("config_") for name in files)
        assert run.data.params["dataset_dir"] == str(toys)
        assert "training.log" in files
    assert list(tmp_path.glob("events.out.tfevents.*")), "TensorBoard's files stay"


@pytest.mark.parametrize("tracking", ROUTES.values(), ids=ROUTES)
def test_an_evaluation_is_one_run(tracking: str, toys: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    weights = save_network(tmp_path / "model.pt")
    options = {**NATIVE, "dataset_dir": str(toys), "output_dir": str(tmp_path / "out")}
    built = workflow("evaluate", **options, model_file=weights, tracking=tracking)
    built.run()
    run, files = only_run(tmp_path / "out")
    assert run.info.status == "FINISHED"
    assert run.data.metrics.keys() >= {"auc8", "auc2", "dice"}
    assert run.data.metrics["auc8"] == built.evaluator.state.metrics["auc8"]
    if tracking != "mlflow":
        assert run.data.params["section"] == "test"
        assert any(name.startswith("config_") for name in files)
        assert {"patients.csv", "lesions.csv", "metrics.json", "confusion.png"} <= files


def test_without_the_option_nothing_is_tracked(toys: Path, tmp_path: Path) -> None:
    weights = save_network(tmp_path / "model.pt")
    options = {**NATIVE, "dataset_dir": str(toys), "output_dir": str(tmp_path / "out")}
    workflow("evaluate", **options, model_file=weights).run()
    assert not list((tmp_path / "out").glob("mlruns*"))
