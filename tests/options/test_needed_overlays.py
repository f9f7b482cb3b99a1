"""An overlay without the overlay that it builds on is one error, which names the missing overlay."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from config_names import read
from monai.bundle import create_workflow

from scripts.lidia.options.apply_options import OptionError

# hospital.yaml also has keys for an evaluation, and MONAI warns of them in a training
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file", "ignore:Can't merge entry")

CONFIGS = Path(__file__).parents[2] / "lidia_bundle/configs"
OVERLAYS = CONFIGS / "overlays"
NAMES = sorted(path.relative_to(OVERLAYS).as_posix() for path in OVERLAYS.rglob("*.yaml"))
EVALUATION = ("recipes/calibrate.yaml", "recipes/ensemble.yaml")


def read_example(name: str) -> list[str]:
    """The overlays of the command in the head of an overlay, in its order."""
    comments = [
        line for line in (OVERLAYS / name).read_text(encoding="utf-8").splitlines() if line.startswith("#")
    ]
    return re.findall(r"configs/overlays/([a-z_]+/[a-z0-9_]+\.yaml)'", "\n".join(comments))


def build(names: list[str], entry: str = "train.json") -> list[str]:
    """Lines of the error of a workflow with these overlays; none if it is accepted."""
    files = [str(CONFIGS / entry), *(str(OVERLAYS / name) for name in names)]
    try:
        create_workflow(config_file=files, workflow_type=None, logging_file=False)
    except RuntimeError as problem:
        cause: BaseException | None = problem
        while cause is not None and not isinstance(cause, OptionError):
            cause = cause.__cause__
        assert cause is not None, problem
        return str(cause).splitlines()
    return []


def list_needs(name: str) -> set[str]:
    """Overlays that an overlay states to need."""
    needs = read(OVERLAYS / name).get("+_needs_", ())
    assert {f"{need['recipe']}.yaml" for need in needs} <= {name}
    return {f"{need['overlay']}.yaml" for need in needs}


@pytest.mark.parametrize("name", NAMES)
def test_each_overlay_alone_and_as_its_example_says(name: str) -> None:
    example = read_example(name) or [name]
    entry = "evaluate.json" if name in EVALUATION else "train.json"
    if not name.startswith("networks/"):  # their examples evaluate, or add a recipe
        assert {name} | list_needs(name) <= set(example)
        assert build(example, entry) == []
    problems = build([name], entry)
    assert len(problems) == len(list_needs(name))
    for overlay in list_needs(name):
        assert any(f"overlays/{overlay}" in line and f"overlays/{name}" in line for line in problems)


def test_another_network_does_not_replace_the_missing_one() -> None:
    [problem] = build(["networks/unet.yaml", "baselines/plan.yaml"])
    assert "overlays/networks/plan.yaml" in problem
    # the U-Net replaces the whole network and with it the fusion of the overlay before it
    [problem] = build(["networks/fusion_early.yaml", "networks/unet.yaml", "baselines/mask2former.yaml"])
    assert "overlays/networks/fusion_early.yaml" in problem


def test_each_recipe_of_a_network_states_its_need() -> None:
    """A recipe whose name is that of a network overlay needs this network."""
    networks = {path.name for path in (OVERLAYS / "networks").glob("*.yaml")}
    recipes = [name for name in NAMES if not name.startswith("networks/") and Path(name).name in networks]
    assert len(recipes) >= 5
    assert all(f"networks/{Path(name).name}" in list_needs(name) for name in recipes)
