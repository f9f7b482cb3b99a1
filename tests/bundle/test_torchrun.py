"""Several processes, on one machine or two, give the results of one; each patient is processed once.

One test starts them by `torchrun`. The others set the variables that `torchrun` sets.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from preloaded import PreloadedProcess
from test_configs import CONFIGS, NATIVE, TRAINING, reason, workflow
from training.toys import write_toys

from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.runtime.weights import read_state
from scripts.lidia.vocabulary import LIVER

# MONAI's word of caution about foreign configs; these are our own.
pytestmark = [pytest.mark.filterwarnings("ignore:parsing config_file"), pytest.mark.slow]

RANK = """
import json, sys, torch
import ignite.distributed as idist
from monai.bundle import create_workflow
files, options, folder = json.loads(sys.argv[1])
flow = create_workflow(config_file=files, workflow_type="train", logging_file=False, **options)
flow.run()
bank = flow.parser.get_parsed_content("loss").bank.state_dict()
metrics = dict(flow.evaluator.state.metrics)
state = {"bank": bank, "metrics": metrics, "network": flow.network_def.state_dict()}
torch.save(state, f"{folder}/rank{idist.get_rank()}.pt")
flow.finalize()
"""
STILL = {
    "train#augmentation#lose": dict.fromkeys(("nc", "arterial", "venous", "delayed"), 0.0),
    "train#augmentation#flips": False,
    "random_subset_prob": 0.0,
    **{f"train#augmentation#{name}": 0.0 for name in ("shift", "gain", "offset", "gamma", "noise")},
    "train#augmentation#other_scanner": 0.0,
}
"""Nothing at random but the points at which losses are taken: the crop is larger than the patient."""


def run_torchrun(command: list[str], folder: Path) -> tuple[list[int], str]:
    """Runs two processes by `torchrun`; returns its exit status and the output of both."""
    process = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", *command],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return [process.returncode], process.stdout


def run_ranks(command: list[str], folder: Path, *, machines: int = 1) -> tuple[list[int], str]:
    """Runs two processes that meet at a port; returns the exit status and the output of both."""
    meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    meet |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "LOCAL_WORLD_SIZE": str(2 // machines)}
    ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank % (2 // machines))} for rank in (0, 1)]
    words = [sys.executable, *command]
    processes = [PreloadedProcess(words, cwd=folder, env={**os.environ, **meet, **rank}) for rank in ranks]
    try:
        outputs = ["".join(process.communicate(timeout=300)) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], "".join(outputs)


def bundle_run(run: str, files: list[str], options: dict[str, Any]) -> list[str]:
    paths = str([str(CONFIGS / name) for name in files])
    text = [word for key, value in options.items() for word in (f"--{key}", str(value))]
    return ["-m", "monai.bundle", "run", run, "--config_file", paths, *text]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four test patients, one of whom cannot be read."""
    folder = write_toys(tmp_path_factory.mktemp("toys"), training=4, test=4)
    torn = folder / "7_venous.nii.gz"
    torn.write_bytes(torn.read_bytes()[:2000])
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    torch.manual_seed(3)
    network = build_lidia(channels=(8, 8, 8, 8), semantic_share=0.7)
    network.state_dict()["semantic_head.classify.1.bias"][LIVER] = 3.0  # without a liver all scores were 0
    torch.save(network.state_dict(), path)
    return path


@pytest.mark.parametrize(("job", "start"), [("evaluate", run_ranks), ("inference", run_torchrun)])
def test_two_processes_give_the_results_of_one(
    job: str, start: Callable[..., tuple[list[int], str]], toys: Path, weights: Path, tmp_path: Path
) -> None:
    entry, two = tmp_path / "one", tmp_path / "two"
    options = {**NATIVE, "dataset_dir": str(toys), "model_file": str(weights)}
    with pytest.raises(RuntimeError) as raised:
        workflow(job, **options, output_dir=str(entry)).run()
    assert "1 failed: toy_07" in str(reason(raised.value))
    options = {**options, "output_dir": str(two)}
    del options["device"]
    files = [f"{job}.json", "multi_gpu_evaluate.json"]
    status, output = start(bundle_run("evaluating", files, options), tmp_path)
    assert set(status) == {1}, output[-3000:]
    assert "1 failed: toy_07" in output
    assert "patients, 1 of 2 processes" in output and "[2/2]" in output, "one bar, of the first process"
    names = {path.name for path in entry.iterdir()}
    assert names == {path.name for path in two.iterdir()}
    for name in sorted(names):
        if name.endswith(".nii.gz"):
            np.testing.assert_array_equal(*(nib.load(place / name).dataobj for place in (entry, two)))
        elif not name.endswith(".png"):
            assert (entry / name).read_bytes() == (two / name).read_bytes(), name
    if job == "inference":
        for number in (6, 8, 9):
            assert len(re.findall(rf"toy_0{number}: \d+ lesions", output)) == 1, "each patient is done once"


def test_more_processes_than_patients(toys: Path, weights: Path, tmp_path: Path) -> None:
    options = {**NATIVE, "dataset_dir": str(toys), "model_file": str(weights), "patients": 1}
    del options["device"]
    files = ["evaluate.json", "multi_gpu_evaluate.json"]
    command = bundle_run("evaluating", files, {**options, "output_dir": str(tmp_path / "out")})
    status, output = run_ranks(command, tmp_path)
    assert set(status) == {0}, output[-3000:]
    assert json.loads((tmp_path / "out/metrics.json").read_text())["auc8"]["n"] == 1
    assert json.loads((tmp_path / "out/errors.json").read_text()) == []


def curve(folder: Path, name: str) -> list[float]:
    """A loss by epoch."""
    matches = re.findall(rf"\b{name}: ([\d.]+)", (folder / "training.log").read_text())
    assert len(matches) == 4
    return [float(value) for value in matches]


def test_two_machines_train_as_one_process_with_the_batch_of_both(toys: Path, tmp_path: Path) -> None:
    """Two processes with the local rank 0 stand for two machines."""
    options = {**TRAINING, **STILL, "dataset_dir": str(toys), "cache_dir": str(tmp_path / "cache")}
    options |= {
        "max_epochs": 4,
        "steps_per_epoch": 3,
        "val_interval": 4,
        "precision": "fp32",
        "ema_decay": 0.0,
    }

    def alike(name: str, cases: int) -> dict[str, Any]:
        stage = {"start": 0.0, "decoding": True, "crop": [48, 48, 48], "cases": cases}
        return {**options, "output_dir": str(tmp_path / name), "train#stages": {"full": stage}}

    workflow("train", **alike("one", 2)).run()
    two = alike("two", 1)
    del two["device"]
    files = [str(CONFIGS / name) for name in ("train.json", "multi_gpu_train.json")]
    (tmp_path / "rank.py").write_text(RANK)
    arguments = json.dumps([files, two, str(tmp_path)])
    status, output = run_ranks([str(tmp_path / "rank.py"), arguments], tmp_path, machines=2)
    assert set(status) == {0}, output[-3000:]
    # The losses of both, the batch of both: what differs are the points drawn, and sums over a batch of one.
    for name, tolerance in (("semantic", 0.02), ("loss", 0.1)):
        entry, both = (curve(tmp_path / folder, name) for folder in ("one", "two"))
        np.testing.assert_allclose(both, entry, rtol=tolerance)
    first, second = (read_state(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert first["metrics"] == second["metrics"]
    for name, value in first["network"].items():
        assert torch.equal(value, second["network"][name]), "one network on both machines"
    alone = read_state(tmp_path / "one/state_epoch=4.pt")["criterion"]
    for name, value in first["bank"].items():
        assert torch.equal(value, second["bank"][name]), "one memory on both machines"
    assert int(first["bank"]["pointer"]) == int(alone["bank.pointer"]) == 4 * 3 * 2, "it holds both batches"
    # one set of files, weights without a wrapper's prefix
    state = read_state(tmp_path / "two/state_epoch=4.pt")
    assert not any(name.startswith("module.") for name in state["network"])
    names = [sorted(path.name for path in (tmp_path / name).glob("*.pt")) for name in ("one", "two")]
    assert names[0] == names[1]
