"""Other runtimes give the network's answers, from one file a set of weights; what is missing is said."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_configs import NATIVE, workflow
from training.toys import write_toys

from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.inference.ensemble import Ensemble
from scripts.lidia.inference.exported_network import (
    RUNTIMES,
    RuntimeMissing,
    digest_network,
    load_runtime,
    require_library,
)
from scripts.lidia.inference.liver_window_inferer import WindowInferer
from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.net.lidia import LIDIA

# MONAI's word of caution about foreign configs; these are our own.
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

ROI = (96, 80, 64)


def test_torch_needs_nothing(tmp_path: Path) -> None:
    assert load_runtime("torch", folder=str(tmp_path)) is None


def test_a_runtime_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="torch, onnx, openvino"):
        load_runtime("tensorrt", folder=str(tmp_path))


def test_onnx_runtime_has_no_half_precision(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--precision fp32, or bf16 with --runtime openvino"):
        load_runtime("onnx", folder=str(tmp_path), precision="bf16")


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_runtime_that_is_not_installed_says_what_to_install(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: LIDIA
) -> None:
    def nothing(library: str) -> Any:
        raise ImportError(library)

    monkeypatch.setattr(importlib, "import_module", nothing)
    other = load_runtime(name, folder=str(tmp_path))
    assert other is not None
    with pytest.raises(
        RuntimeMissing, match=f"--runtime {name} needs .* pip install {RUNTIMES[name]} onnx=="
    ):
        other(network)


def test_the_pins_are_those_of_the_requirements(bundle: Path) -> None:
    pins = (bundle.parent / "requirements-dev.txt").read_text(encoding="utf-8").split()
    from scripts.lidia.inference.exported_network import WRITERS

    assert {*RUNTIMES.values(), *WRITERS} <= set(pins)


def test_other_weights_have_another_name(network: LIDIA) -> None:
    before = digest_network(network)
    bias = network.get_parameter("semantic_head.classify.1.bias")
    with torch.no_grad():
        bias[0] += 1e-3
    changed = digest_network(network)
    with torch.no_grad():
        bias[0] -= 1e-3
    assert changed != before


def test_another_reading_of_the_same_weights_has_another_name() -> None:
    network = build_lidia(channels=(8, 8, 8, 8))
    several = Ensemble(network, 2)
    before = digest_network(network), digest_network(several)
    network.type_share = 0.5
    assert digest_network(network) != before[0] and digest_network(several) != before[1]


def test_training_and_evaluation_share_a_name() -> None:
    network = build_lidia(channels=(8, 8, 8, 8))
    assert digest_network(network.train()) == digest_network(network.eval())


PARENT = """
import faulthandler, gc, os, signal, sys
import numpy as np
import onnx, openvino
from scripts.lidia.inference.exported_network import open_openvino

faulthandler.enable()
signal.signal(signal.SIGCHLD, lambda *_: None)
ends = [onnx.helper.make_tensor_value_info(name, 1, [2]) for name in ("image", "pred")]
node = onnx.helper.make_node("Abs", ["image"], ["pred"])
onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "abs", ends[:1], ends[1:])), sys.argv[1])
for call in [open_openvino(openvino, sys.argv[1]) for _ in range(2)]:
    call(np.ones(2, np.float32))
del call
gc.collect()
if (child := os.fork()) == 0:
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_process_has_children_after_openvino(tmp_path: Path, bundle: Path) -> None:
    for library in ("onnx", "openvino"):
        pytest.importorskip(library)
    command = [sys.executable, "-c", PARENT, str(tmp_path / "abs.onnx")]
    process = subprocess.run(command, cwd=bundle, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr


@pytest.mark.slow
def test_other_runtimes_answer_as_torch_does(cohort: Path, network: LIDIA, tmp_path: Path) -> None:
    item = load_datalist(cohort, "training", complete_only=True)[0]
    image = preprocessing()(item)["image"].as_tensor()[None]
    late = image.clone()
    late[:, 0] = torch.nan
    for visible in (image, late):
        with torch.no_grad():
            eager = WindowInferer(roi_size=ROI)(visible, network)[0].numpy()
        for name in RUNTIMES:
            require_library(name, {"onnx": "onnxruntime"}.get(name, name))
            inferer = WindowInferer(roi_size=ROI, runtime=load_runtime(name, folder=str(tmp_path)))
            other = inferer(visible, network)[0].numpy()
            assert (other.argmax(axis=0) == eager.argmax(axis=0)).mean() >= 0.999
            apart = np.abs(other - eager).max(axis=0)
            bound = {"onnx": 1e-3, "openvino": 2e-3}[name]
            assert (apart < bound).mean() >= 0.999 and apart.max() < 10 * bound
        half = load_runtime("openvino", folder=str(tmp_path), precision="bf16")
        other = WindowInferer(roi_size=ROI, runtime=half)(visible, network)[0].numpy()
        assert (other.argmax(axis=0) == eager.argmax(axis=0)).mean() >= 0.999
        assert np.abs(other - eager).max() < 0.05
    assert [path.name for path in tmp_path.iterdir()] == [f"{digest_network(network)}.onnx"], "drawn once"


def test_inference_hands_its_network_to_the_runtime_of_its_key(tmp_path: Path) -> None:
    toys = write_toys(tmp_path / "toys")
    options = {"dataset_dir": str(toys), "output_dir": str(tmp_path / "out"), "runtime": "openvino"}
    for bf16 in (False, True):
        built = workflow(
            "inference",
            **NATIVE,
            **options,
            runtime_dir=str(tmp_path / "graphs"),
            precision="bf16" if bf16 else "fp32",
        )
        inner = built.parser.get_parsed_content("inferer").runtime
        assert (inner.name, inner.folder, inner.bf16) == ("openvino", tmp_path / "graphs", bf16)
