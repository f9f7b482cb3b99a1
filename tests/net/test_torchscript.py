"""The TorchScript file of MONAI's exporter gives the network's numbers and needs torch alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser, ckpt_export
from net.export_inputs import SIZES, SUBSETS, noise, with_phases

from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.net.lidia import LIDIA

ONLY_TORCH = """
import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("monai", "scripts"):
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Refused())
import numpy, torch
torch.set_num_threads(1)
network = torch.jit.load("model.ts").eval()
images = numpy.load("images.npz")
with torch.no_grad():
    maps = {name: network(torch.from_numpy(images[name])).numpy() for name in images}
numpy.savez("maps.npz", **maps)
assert not {"monai", "scripts"} & set(sys.modules)
"""


def torchscript(bundle: Path, weights: Path, folder: Path) -> Path:
    """Writes the file of MONAI's command; returns its path."""
    ckpt_export(
        "network_def",
        filepath=str(folder / "model.ts"),
        ckpt_file=str(weights),
        meta_file=str(bundle / "configs/metadata.json"),
        config_file=str(bundle / "configs/inference.json"),
        bundle_root=str(bundle),
    )
    return folder / "model.ts"


def test_torchscript_export_gives_the_same_numbers(bundle: Path, tmp_path: Path) -> None:
    parser = ConfigParser()
    parser.read_config(bundle / "configs/inference.json")
    shares = {name: parser["network_def"][name] for name in ("semantic_share", "type_share")}
    network = build_lidia(**shares).eval()
    torch.save(network.state_dict(), tmp_path / "model.pt")
    image = with_phases(noise((32, 48, 32)), (1, 2, 3))
    scripted = torch.jit.load(str(torchscript(bundle, tmp_path / "model.pt", tmp_path))).eval()
    with torch.no_grad():
        torch.testing.assert_close(scripted(image), network(image), rtol=0, atol=1e-6)


def test_the_torchscript_file_needs_nothing_but_torch(
    bundle: Path, tmp_path: Path, network: LIDIA, phantom: torch.Tensor
) -> None:
    torchscript(bundle, bundle / "models/model.pt", tmp_path)
    images = [with_phases(noise(SIZES[k % 3]), s) for k, s in enumerate(SUBSETS)]
    images += [with_phases(phantom, s) for s in ((2,), (0, 1, 2), (0, 1, 2, 3))]
    np.savez(tmp_path / "images.npz", *[image.numpy() for image in images])
    command = [sys.executable, "-c", ONLY_TORCH]
    process = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr[-3000:]
    maps = np.load(tmp_path / "maps.npz")
    for k, image in enumerate(images):
        with torch.no_grad():
            np.testing.assert_allclose(maps[f"arr_{k}"], network(image).numpy(), rtol=0, atol=1e-6)
