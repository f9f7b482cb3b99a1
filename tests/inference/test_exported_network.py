"""Selection of a runtime: one exported file per set of weights, clear errors for what is missing."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from test_configs import NATIVE, workflow
from torch import nn
from training.toys import write_toys

from scripts.lidia.inference.ensemble import Ensemble
from scripts.lidia.inference.exported_network import (
    RUNTIMES,
    RuntimeMissing,
    digest_network,
    load_runtime,
    require_library,
)
from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.net.lidia import LIDIA

# MONAI's word of caution about foreign configs; these are our own.
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")


def test_torch_needs_no_conversion(tmp_path: Path) -> None:
    assert load_runtime("torch", folder=str(tmp_path)) is None


def test_an_unknown_runtime_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="torch, onnx, openvino"):
        load_runtime("tensorrt", folder=str(tmp_path))


def test_onnx_runtime_has_no_half_precision(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--precision fp32, or bf16 with --runtime openvino"):
        load_runtime("onnx", folder=str(tmp_path), precision="bf16")


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_runtime_that_is_not_installed_names_the_packages(
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


def test_versions_equal_those_of_the_requirements(bundle: Path) -> None:
    pins = (bundle.parent / "requirements-dev.txt").read_text(encoding="utf-8").split()
    from scripts.lidia.inference.exported_network import WRITERS

    assert {*RUNTIMES.values(), *WRITERS} <= set(pins)


def test_other_weights_have_another_digest(network: LIDIA) -> None:
    before = digest_network(network)
    bias = network.get_parameter("semantic_head.classify.1.bias")
    with torch.no_grad():
        bias[0] += 1e-3
    changed = digest_network(network)
    with torch.no_grad():
        bias[0] -= 1e-3
    assert changed != before


def test_another_use_of_the_same_weights_has_another_digest() -> None:
    network = build_lidia(channels=(8, 8, 8, 8))
    several = Ensemble(network, 2)
    before = digest_network(network), digest_network(several)
    network.type_share = 0.5
    assert digest_network(network) != before[0] and digest_network(several) != before[1]


def test_training_and_evaluation_mode_have_one_digest() -> None:
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


def test_a_process_can_fork_after_openvino(tmp_path: Path, bundle: Path) -> None:
    for library in ("onnx", "openvino"):
        pytest.importorskip(library)
    command = [sys.executable, "-c", PARENT, str(tmp_path / "abs.onnx")]
    process = subprocess.run(command, cwd=bundle, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr


class MeanOfPhases(nn.Module):
    """Probabilities (B, 3, X, Y, Z) from the phases that are not NaN."""

    def __init__(self) -> None:
        super().__init__()
        self.classify = nn.Conv3d(1, 3, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.classify(image.nanmean(dim=1, keepdim=True)).softmax(dim=1)


def test_a_graph_is_exported_once_for_any_batch_and_size(tmp_path: Path) -> None:
    network = MeanOfPhases().eval()
    path = tmp_path / f"{digest_network(network)}.onnx"
    exported_at = set()
    for name in RUNTIMES:
        require_library(name, {"onnx": "onnxruntime"}.get(name, name))
        runtime = load_runtime(name, folder=str(tmp_path))
        assert runtime is not None
        predict = runtime(network)
        exported_at.add(path.stat().st_mtime_ns)
        for shape in ((1, 4, 16, 16, 16), (3, 4, 32, 16, 48)):
            image = torch.rand(shape)
            image[:, 2] = torch.nan
            with torch.no_grad():
                torch.testing.assert_close(predict(image), network(image), rtol=0, atol=1e-5)
    assert list(tmp_path.iterdir()) == [path] and len(exported_at) == 1


def test_the_runtime_key_selects_the_runtime_of_inference(tmp_path: Path) -> None:
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
