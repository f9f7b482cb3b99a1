"""Two copies of the bundle side by side in one process: each has its own weights, files and workflow."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from scripts.lidia.runtime.weights import read_state

BOTH = """
import torch
from monai.bundle import create_workflow, load
copies = {}
for name in ("first", "second", "first"):
    network = load("lidia_bundle", bundle_dir=name, device="cpu", workflow_type="inference")
    place = f"{name}/lidia_bundle"
    weights = torch.load(f"{place}/models/model.pt", weights_only=True)
    own = all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())
    flow = create_workflow(config_file=f"{place}/configs/inference.json", workflow_type="inference",
                           dataset_dir=sys.argv[1], output_dir=name)
    file = flow.parser.get_parsed_content("model_file")
    copies.setdefault(name, []).append({"own": own, "root": flow.bundle_root, "file": file})
print(json.dumps(copies))
"""


def test_each_copy_uses_its_own_weights_and_files(
    bundle: Path, cohort: Path, work: Path, stranger: Callable[..., Any]
) -> None:
    for name in ("first", "second"):
        place = work / name / "lidia_bundle"
        shutil.copytree(bundle, place, ignore=shutil.ignore_patterns("docs", "__pycache__"))
    weights = work / "second/lidia_bundle/models/model.pt"
    change_one_weight(weights)
    result = stranger(BOTH, cohort)
    for name, times in (("first", 2), ("second", 1)):
        place = work / name / "lidia_bundle"
        expected = {"own": True, "root": str(place), "file": str(place / "models/model.pt")}
        assert result[name] == [expected] * times


def change_one_weight(path: Path) -> None:
    """Makes weights that no other copy has."""
    state = read_state(path)
    name = next(name for name, value in state.items() if value.is_floating_point())
    state[name] += 1
    torch.save(state, path)
