"""What MONAI's own tools do with the bundle when strangers call them, from folders of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser, ckpt_export, verify_net_in_out

from scripts.lidia.net import LIDIA

STRANGER = """
import json, sys, warnings
warnings.simplefilter("ignore")
import scripts, torch  # another bundle's package of the same name comes first
assert scripts.OWNER == "another bundle"
from monai.bundle import create_workflow, load
bundles = sys.argv[1]
network = load("lidia_bundle", bundle_dir=bundles, workflow_type="inference")
image = torch.rand(1, 4, 32, 32, 32) * 2 - 1
image[:, 3] = torch.nan
with torch.no_grad():
    total = network.eval()(image).sum(dim=1)
small = load("lidia_bundle", bundle_dir=bundles, workflow_type="train", net_override={"learned_queries": 3})
for kind in ("train", "infer"):
    name = {"train": "train", "infer": "inference"}[kind]
    flow = create_workflow(config_file=f"{bundles}/lidia_bundle/configs/{name}.json", workflow_type=kind)
    flow.initialize()
    assert flow.bundle_root == f"{bundles}/lidia_bundle", flow.bundle_root
print(json.dumps({"sum": [float(total.min()), float(total.max())], "queries": len(small.content)}))
"""


@pytest.fixture
def elsewhere(tmp_path: Path, bundle: Path) -> Path:
    """A folder with a copy of the bundle in it, with weights, and with another bundle's package `scripts`."""
    bundles = tmp_path / "bundles/lidia_bundle"
    for part in ("configs", "scripts"):
        (bundles / part).parent.mkdir(parents=True, exist_ok=True)
        (bundles / part).symlink_to(bundle / part)
    (bundles / "models").mkdir()
    torch.save(LIDIA().state_dict(), bundles / "models/model.pt")
    (tmp_path / "work/scripts").mkdir(parents=True)
    (tmp_path / "work/scripts/__init__.py").write_text('OWNER = "another bundle"\n')
    return tmp_path


def test_load_from_a_foreign_folder_beside_another_bundle(elsewhere: Path) -> None:
    """`load` and `create_workflow` find the code though nothing put it on the path."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    (elsewhere / "stranger.py").write_text(STRANGER)
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, str(elsewhere / "bundles")],
        cwd=elsewhere / "work",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["sum"] == pytest.approx([1.0, 1.0], abs=1e-5)
    assert found["queries"] == 3


def test_the_command_ends_with_the_reason_alone(bundle: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monai.bundle", "run", "evaluating", "--config_file"]
    command += [str(bundle / "configs/inference.json"), "--dataset_dir", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-3:]
    assert last[0].startswith("CaseError"), done.stderr[-500:]
    assert "--dataset_dir" in last[2]


def test_metadata_describes_the_network(bundle: Path) -> None:
    metadata = json.loads((bundle / "configs/metadata.json").read_text())
    data = metadata["network_data_format"]
    image, pred = data["inputs"]["image"], data["outputs"]["pred"]
    network = LIDIA().eval()
    with torch.no_grad():
        out = network(torch.rand(1, image["num_channels"], 32, 32, 32) * 2 - 1)
    assert out.shape[1] == pred["num_channels"] == len(pred["channel_def"])
    assert float(out.min()) >= pred["value_range"][0]
    assert float(out.max()) <= pred["value_range"][1] + 1e-6
    assert {f"{network.stride}*n"} == {*image["spatial_shape"], *pred["spatial_shape"]}
    assert metadata["version"] in metadata["changelog"]
    assert "not for diagnosis" in metadata["intended_use"]


def test_monai_s_own_check_of_the_network(bundle: Path) -> None:
    files = {
        "config_file": str(bundle / "configs/inference.json"),
        "meta_file": str(bundle / "configs/metadata.json"),
    }
    verify_net_in_out("network_def", **files, bundle_root=str(bundle), device="cpu", p=1, n=2, any=1)


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
