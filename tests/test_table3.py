"""The rows of Table 3 as overlays on train.json, and how the baselines' overlays combine."""

from __future__ import annotations

import json
from itertools import pairwise, permutations
from typing import Any

import pytest
from monai.bundle import ConfigParser
from test_configs import CONFIGS

# MONAI's word of caution about foreign configs; these are our own.
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

TABLE_3 = {
    "mask2former_ce": [
        "networks/fusion_early.yaml",
        "baselines/mask2former.yaml",
        "ablations/cross_entropy.yaml",
    ],
    "mask2former": ["networks/fusion_early.yaml", "baselines/mask2former.yaml"],
    "no_acl": ["ablations/no_acl.yaml"],
    "lidia": [],
    "sam_equal_steps": ["recipes/sam.yaml"],
}
"""Baseline, +Focal Loss (+LiverMax is a rule of the evaluation), +IFM, +ACL, +SAM."""
STEPS = ["loss#classes#gamma", "network_def#fusion", "loss#acl_weight", "train#sam"]


def merged(*overlays: str) -> dict[str, Any]:
    parser = ConfigParser()
    parser.read_config([CONFIGS / "train.json", *(CONFIGS / "overlays" / name for name in overlays)])
    content: dict[str, Any] = parser.get()
    return content


def changed(before: Any, after: Any, key: str = "") -> list[str]:
    """Keys whose values differ, a part that only one side has counting as one."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [] if before == after else [key]
    return [
        result
        for name in sorted(before.keys() | after.keys())
        if name != "_needs_"  # says which overlay a recipe builds on
        for result in changed(before.get(name), after.get(name), f"{key}#{name}".lstrip("#"))
    ]


def test_each_row_of_table_3_changes_one_key() -> None:
    rows = [merged(*overlays) for overlays in TABLE_3.values()]
    assert [changed(*pair) for pair in pairwise(rows)] == [[step] for step in STEPS]
    assert rows[0]["loss"]["acl_weight"] == 0 and rows[0]["train"]["sam"] is None
    assert rows[0]["network_def"]["fusion"]["_target_"].endswith("EarlyFusion")
    assert "fusion" not in rows[2]["network_def"], "without one LIDIA takes Eq. 2"


def test_the_rows_of_table_3_have_one_length_of_training() -> None:
    systems = json.loads((CONFIGS.parents[1] / "experiments/configs/study.json").read_text())["systems"]
    for name in (*TABLE_3, "plan", "mpformer"):
        assert "training" not in systems[name], f"{name} is trained as long as LIDIA"
    assert {name: systems[name]["overlays"] for name in TABLE_3} == TABLE_3
    assert systems["plan"]["overlays"] == ["networks/plan.yaml", "baselines/plan.yaml"]


def test_mpformer_is_mask2former_without_aids_but_its_pilots() -> None:
    plain, piloted = (
        merged(
            "networks/fusion_early.yaml",
            "baselines/mask2former.yaml",
            "networks/no_aids.yaml",
            "ablations/no_aids.yaml",
        ),
        merged(*MPFORMER),
    )
    assert changed(plain, piloted) == ["network_def#mask_pilots"]
    network, loss = piloted["network_def"], piloted["loss"]
    assert network["fusion"]["_target_"].endswith("EarlyFusion") and network["mask_pilots"] is True
    off = ("proposals", "hounsfield", "focus", "liver_context", "mask_pooling", "max_over_queries")
    off += ("semantic_share", "type_share")
    assert not any(network[name] for name in off)
    assert loss["matcher"]["one_to_many"] is False and piloted["boundary_fraction"] == 0
    assert piloted["train"]["stages"]["semantic"]["decoding"] is True


MPFORMER = (
    "networks/fusion_early.yaml",
    "baselines/mask2former.yaml",
    "networks/no_aids.yaml",
    "ablations/no_aids.yaml",
    "baselines/mpformer.yaml",
)


def test_the_aids_come_off_in_any_order_before_the_pilots() -> None:
    first, second = (merged(*pair) for pair in permutations(MPFORMER[:2]))
    assert changed(first, second) == []


def test_plan_keeps_the_aids_and_has_its_own_losses() -> None:
    lidia, plan = merged(), merged("networks/plan.yaml", "baselines/plan.yaml")
    assert not [key for key in changed(lidia, plan) if key.startswith(("train#stages", "validate"))]
    assert plan["network_def"]["_target_"].endswith("build_plan")
    assert plan["network_def"].get("mask_pilots", True) and plan["network_def"].get("hounsfield", True)
    queries = [
        config["network_def"].get("anchors", config["network_def"]["proposals"])
        + config["network_def"]["learned_queries"]
        for config in (lidia, plan)
    ]
    assert queries[0] == queries[1]
    assert plan["loss"]["classes"]["gamma"] == 0 and plan["loss"]["classes"]["no_object"] == 0.1
    assert (plan["loss"]["focal_weight"], plan["loss"]["matcher"]["class_cost"]) == (2.0, 2.0)
