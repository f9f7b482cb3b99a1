"""`lidia export` to ONNX: one file, which gives the numbers of the network for any size and phases.

The network is a small U-Net, whose export takes seconds; LIDIA's own graph is tested in `tests/net`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from cli.conftest import Run

from scripts.lidia.baselines.unet import PlainUNet

CHANNELS = [8, 16]


def test_an_onnx_file_gives_the_numbers_of_the_network(lidia: Run, tmp_path: Path, bundle: Path) -> None:
    pytest.importorskip("onnxscript")
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    network = PlainUNet(channels=CHANNELS).eval()
    torch.save(network.state_dict(), tmp_path / "small.pt")
    (tmp_path / "small.yaml").write_text(f"network_def#channels: {CHANNELS}\n", encoding="utf-8")
    configs = [bundle / "configs/inference.json", bundle / "configs/overlays/networks/unet.yaml"]
    names = [str(path) for path in (*configs, tmp_path / "small.yaml")]
    path = tmp_path / "exported/lidia.onnx"
    options = ("--inference_config", names, "--model_file", tmp_path / "small.pt")
    process = lidia("export", "-o", path, *options)
    assert process.returncode == 0, process.stderr[-2000:]
    assert f"Results: {path}" in process.stdout
    assert list(path.parent.iterdir()) == [path], "one file holds the weights too"
    onnx.checker.check_model(onnx.load(path))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for size, absent in (((32, 32, 32), [0, 3]), ((48, 32, 64), [1])):
        image = torch.rand(1, 4, *size) * 2 - 1
        image[:, absent] = torch.nan
        with torch.no_grad():
            expected = network(image).numpy()
        (maps,) = session.run(["pred"], {"image": image.numpy()})
        assert maps.shape == expected.shape == (1, 10, *size)
        np.testing.assert_allclose(maps, expected, rtol=0, atol=1e-4)
