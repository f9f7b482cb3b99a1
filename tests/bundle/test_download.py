"""`download` and `load` of a release, in a foreign folder and beside a foreign package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

DOWNLOAD = """
import torch
from monai.bundle import ckpt_export, download, load
download(url=sys.argv[1], name="lidia_bundle", bundle_dir="bundles", progress=False)
image = torch.rand(1, 4, 32, 32, 32) * 2 - 1
image[:, 3] = torch.nan
def see(network):
    with torch.no_grad():
        return network.eval()(image)
network = load("lidia_bundle", bundle_dir="bundles", device="cpu", workflow_type="inference")
probabilities = see(network)
"""
NETWORK = """
weights = load("lidia_bundle", bundle_dir="bundles", device="cpu", workflow_type="evaluation")
by_hand = load("lidia_bundle", bundle_dir="bundles", device="cpu", workflow_type="train")
by_hand.load_state_dict(weights)
small = load("lidia_bundle", bundle_dir="bundles", device="cpu", net_override={"learned_queries": 3})
from scripts.lidia.net.build_lidia import build_lidia
own = build_lidia()
network = load("lidia_bundle", model=own, bundle_dir="bundles", device="cpu")
sums = probabilities.sum(dim=1)
print(json.dumps({
    "type": type(probabilities).__name__, "shape": list(probabilities.shape),
    "sum": [float(sums.min()), float(sums.max())], "queries": len(small.query_generator.query_feat),
    "same": [torch.equal(see(other), probabilities) for other in (by_hand, network)],
}))
"""
SCRIPTED = """
folder = "bundles/lidia_bundle"
ckpt_export("network_def", filepath=f"{folder}/models/model.ts", ckpt_file=f"{folder}/models/model.pt",
            meta_file=f"{folder}/configs/metadata.json", config_file=f"{folder}/configs/inference.json",
            bundle_root=folder)
scripted, metadata, extra = load("lidia_bundle", bundle_dir="bundles", device="cpu", load_ts_module=True,
                                 config_files=["inference.json"])
print(json.dumps({"type": type(scripted).__name__, "name": metadata["name"], "extra": list(extra),
                  "apart": float((see(scripted) - probabilities).abs().max())}))
"""


def test_one_tensor_in_and_one_tensor_out(stranger: Callable[..., Any], url: str) -> None:
    """By `load` with its own network, with weights by hand, with a network given, with other numbers."""
    result = stranger(DOWNLOAD + NETWORK, url)
    assert result["type"] == "Tensor"
    assert result["shape"] == [1, 10, 32, 32, 32]
    assert result["sum"] == pytest.approx([1.0, 1.0], abs=1e-5)
    assert result["queries"] == 3
    assert result["same"] == [True, True]


def test_the_torchscript_file_once_it_is_exported(stranger: Callable[..., Any], url: str) -> None:
    result = stranger(DOWNLOAD + SCRIPTED, url)
    assert result["type"] == "RecursiveScriptModule"
    assert result["name"] == "LIDIA"
    assert result["extra"] == ["inference.json"]
    assert result["apart"] < 1e-6
