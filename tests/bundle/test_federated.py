"""Federated training by MONAI's own client, and by NVFlare's simulator where LIDIA_NVFLARE names it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.fl.client import MonaiAlgo
from monai.fl.utils.exchange_object import ExchangeObject
from test_configs import TINY, TRAINING
from training.toys import write_toys

from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.runtime.weights import read_state

# MONAI's words of caution about foreign configs and servers; these are our own.
pytestmark = [
    pytest.mark.filterwarnings("ignore:parsing config_file"),
    pytest.mark.filterwarnings("ignore:executing the bundle config"),
]

CONFIGS = ["configs/train.json", "configs/overlays/recipes/federated.yaml"]
ROUND = {**{name: TRAINING[name] for name in (*TINY, "spacing", "steps_per_epoch")}, "rounds": 2}
ROUND["train#stages"] = {"full": {"start": 0.0, "decoding": True, "crop": [32, 32, 32], "cases": 1}}


def write_site(folder: Path, *, without: str | None = None) -> Path:
    """A hospital's patients, of whom none has the phase `without`."""
    write_toys(folder)
    if without:
        sections = json.loads((folder / "dataset.json").read_text())
        for item in (item for items in sections.values() for item in items):
            item["phases"].pop(without, None)
        (folder / "dataset.json").write_text(json.dumps(sections))
    return folder


def places(site: Path) -> dict[str, str]:
    names = {"dataset_dir": "", "cache_dir": "cache", "output_dir": "federated"}
    return {key: str(site / name) for key, name in names.items()}


def client(bundle: Path, site: Path, **options: Any) -> MonaiAlgo:
    chosen = {**ROUND, **places(site), **options}
    files = {"config_train_filename": CONFIGS, "config_evaluate_filename": CONFIGS}
    algo = MonaiAlgo(
        bundle_root=str(bundle), local_epochs=1, **files, train_kwargs=chosen, eval_kwargs=dict(chosen)
    )
    algo.initialize(extra={})
    return algo


def weights(seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return build_lidia(channels=(8, 8, 8, 8), semantic_share=0.7).state_dict()


def sent(state: dict[str, torch.Tensor]) -> ExchangeObject:
    return ExchangeObject(weights={name: value.clone() for name, value in state.items()})


def largest(difference: dict[str, torch.Tensor]) -> float:
    return max(float(value.abs().max()) for value in difference.values())


def test_a_site_without_the_delayed_phase_trains_two_rounds(bundle: Path, tmp_path: Path) -> None:
    algo = client(bundle, write_site(tmp_path / "site", without="delayed"))
    server = weights(1)
    for number in (1, 2):
        metrics = algo.evaluate(sent(server)).metrics
        assert 0.0 <= metrics["auc8"] <= 1.0
        algo.train(sent(server))
        got = algo.get_weights()
        assert got.weights.keys() == server.keys()
        assert got.statistics["num_executed_iterations"] == ROUND["steps_per_epoch"]
        assert algo.trainer.state.epoch == number
        assert 0.0 < largest(got.weights) < 0.1
        server = {name: value + got.weights[name] for name, value in server.items()}
    # The last of all steps: the rate has fallen over both rounds, not over the first alone.
    assert algo.trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.001 * 0.02)
    algo.finalize()


def test_a_round_starts_from_what_the_server_sends(bundle: Path, tmp_path: Path) -> None:
    """Not from the site's own state of the round before."""
    algo = client(bundle, write_site(tmp_path / "site"), **{"learning_rate": 0.0})
    for seed in (1, 2):
        algo.train(sent(weights(seed)))
        assert largest(algo.get_weights().weights) == 0.0
    algo.finalize()


@pytest.fixture
def simulator() -> str:
    command = os.environ.get("LIDIA_NVFLARE") or shutil.which("nvflare")
    if not command:
        pytest.skip("nvflare (with monai-nvflare) is not on PATH, nor named by LIDIA_NVFLARE")
    return command


@pytest.mark.slow
def test_nvflare_s_simulator_with_two_sites(simulator: str, bundle: Path, tmp_path: Path) -> None:
    """The job of the page, with the places and sizes of a test: one site never scans the delayed phase."""
    for name, missing in (("site-1", None), ("site-2", "delayed")):
        write_site(tmp_path / name, without=missing)
    torch.save(weights(3), tmp_path / "start.pt")
    shutil.copytree(bundle / "docs/federated", tmp_path / "job")
    server, site = (tmp_path / f"job/app/config/config_fed_{who}.json" for who in ("server", "client"))
    plan = json.loads(server.read_text())
    plan |= {"bundle": str(bundle), "rounds": 2, "network": {**plan["network"], "channels": [8, 8, 8, 8]}}
    plan["components"][0]["args"]["source_ckpt_file_full_name"] = str(tmp_path / "start.pt")
    server.write_text(json.dumps(plan))
    plan = json.loads(site.read_text())
    del plan["site"]["rounds"]
    present = {key: value.replace("/data", str(tmp_path)) for key, value in plan["site"].items()}
    plan |= {"bundle": str(bundle), "site": {**present, **ROUND}}
    site.write_text(json.dumps(plan))
    process = subprocess.run(
        [simulator, "simulator", "job", "-w", "work", "-n", "2", "-t", "2"],
        env={**os.environ, "PYTHONPATH": str(bundle), "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    output = process.stdout + process.stderr
    assert process.returncode == 0, output[-3000:]
    for name in ("site-1", "site-2"):
        assert f"Contribution from {name} ACCEPTED by the aggregator at round 1" in output
        assert (tmp_path / name / "federated/model.pt").is_file()
    first = read_state(tmp_path / "start.pt")
    last = read_state(tmp_path / "work/server/simulate_job/app_server/FL_global_model.pt")["model"]
    assert last.keys() == first.keys()
    assert 0.0 < largest({name: torch.as_tensor(last[name]) - first[name] for name in first}) < 0.1
