"""`verify_net_in_out` and `ckpt_export` with the zoo's arguments, on the shipped weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from monai.bundle import ckpt_export, verify_net_in_out

SHAPE = "_meta_#network_data_format#inputs#image#spatial_shape"


def zoo_arguments(bundle: Path) -> dict[str, str]:
    """What the zoo passes to both."""
    return {
        "net_id": "network_def",
        "meta_file": str(bundle / "configs/metadata.json"),
        "config_file": str(bundle / "configs/inference.json"),
        "bundle_root": str(bundle),
    }


def test_a_random_image_in_and_the_promised_tensor_out(bundle: Path) -> None:
    verify_net_in_out(**zoo_arguments(bundle))


@pytest.mark.parametrize("shape", [[48, 48, 48], [32, 48, 16], [16, 16, 32], [80, 32, 64]], ids=str)
def test_other_spatial_shapes(bundle: Path, shape: list[int]) -> None:
    verify_net_in_out(**zoo_arguments(bundle), device="cpu", **{SHAPE: shape})


def test_weights_become_a_torchscript_file_that_loads(bundle: Path, tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("docs", "__pycache__")
    copy = shutil.copytree(bundle, tmp_path / bundle.name, ignore=ignore)
    path = copy / "models/verify_model.ts"
    ckpt_export(filepath=str(path), ckpt_file=str(copy / "models/model.pt"), **zoo_arguments(copy))
    scripted = torch.jit.load(str(path)).eval()
    with torch.no_grad():
        probabilities = scripted(torch.rand(1, 4, 32, 32, 32) * 2 - 1)
    assert probabilities.shape == (1, 10, 32, 32, 32)
