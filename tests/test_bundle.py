"""The network as a TorchScript file."""

from __future__ import annotations

from pathlib import Path

import torch
from monai.bundle import ConfigParser, ckpt_export

from scripts.lidia.net import LIDIA


def test_torchscript_export_gives_the_same_numbers(bundle: Path, tmp_path: Path) -> None:
    parser = ConfigParser()
    parser.read_config(bundle / "configs/inference.json")
    network = LIDIA(semantic_share=parser["network_def"]["semantic_share"]).eval()
    torch.save(network.state_dict(), tmp_path / "model.pt")
    ckpt_export(
        "network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(tmp_path / "model.pt"),
        meta_file=str(bundle / "configs/metadata.json"),
        config_file=str(bundle / "configs/inference.json"),
        bundle_root=str(bundle),
    )
    image = torch.rand(1, 4, 32, 48, 32) * 2 - 1
    image[:, 0] = torch.nan
    scripted = torch.jit.load(str(tmp_path / "model.ts")).eval()
    with torch.no_grad():
        torch.testing.assert_close(scripted(image), network(image), rtol=0, atol=1e-6)
