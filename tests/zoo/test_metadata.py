"""`metadata.json` against a schema, and against the network that it describes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import verify_metadata

from scripts.lidia.net.build_lidia import build_lidia

SCHEMA = Path(__file__).parent / "metadata_schema.json"

# The schema lies where MONAI would have downloaded it to, so there is no hash to compare.
pytestmark = pytest.mark.filterwarnings("ignore:No hash value")


@pytest.fixture
def metadata(bundle: Path) -> dict[str, Any]:
    return json.loads((bundle / "configs/metadata.json").read_text(encoding="utf-8"))


def verify(content: dict[str, Any], folder: Path) -> None:
    """The zoo's call; a schema that is there already is not downloaded."""
    meta_file, schema = folder / "metadata.json", folder / "eval/schema.json"
    meta_file.write_text(json.dumps(content), encoding="utf-8")
    schema.parent.mkdir()
    shutil.copyfile(SCHEMA, schema)
    verify_metadata(meta_file=str(meta_file), filepath=str(schema))


def test_it_passes(metadata: dict[str, Any], tmp_path: Path) -> None:
    verify(metadata, tmp_path)
    assert metadata["schema"].endswith("/meta_schema_20240725.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("task", None),
        ("required_packages_version", None),
        ("version", 1),
        ("references", "a paper"),
        ("network_data_format", {"inputs": {"image": {"type": "image"}}, "outputs": {}}),
    ],
)
def test_the_schema_refuses(key: str, value: Any, metadata: dict[str, Any], tmp_path: Path) -> None:
    wrong = {**metadata, key: value}
    if value is None:
        del wrong[key]
    with pytest.raises(ValueError, match="against schema"):
        verify(wrong, tmp_path)


def test_it_describes_the_network(metadata: dict[str, Any]) -> None:
    data = metadata["network_data_format"]
    image, pred = data["inputs"]["image"], data["outputs"]["pred"]
    network = build_lidia().eval()
    with torch.no_grad():
        out = network(torch.rand(1, image["num_channels"], 32, 32, 32) * 2 - 1)
    assert out.shape[1] == pred["num_channels"] == len(pred["channel_def"])
    assert float(out.min()) >= pred["value_range"][0]
    assert float(out.max()) <= pred["value_range"][1] + 1e-6
    # One stride alone would leave a single voxel at the coarsest level, which instance norm refuses.
    assert {f"{network.stride}*(n+1)"} == {*image["spatial_shape"], *pred["spatial_shape"]}
    assert "not for diagnosis" in metadata["intended_use"]
