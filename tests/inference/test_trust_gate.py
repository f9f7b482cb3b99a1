"""The gate: what is outside the limits is named, in the JSON and in the warnings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from scripts.lidia.inference.postprocessing import Diagnosed
from scripts.lidia.inference.trust_gate import NO_LIVER_SEEN, PREFIX, TrustGate
from scripts.lidia.report.lesion_certainty import describe_distrust

CONFIG = json.loads((Path(__file__).parents[2] / "lidia_bundle/configs/inference.json").read_text())["trust"]
WINDOW = (-200.0, 400.0)
USUAL = {
    "scan_height_mm": 250.0,
    "fat_hu": -100.0,
    "fat_share": 0.3,
    "liver_ml": 1500.0,
    "liver_height_mm": 170.0,
    "liver_sureness": 0.93,
    "liver_hu": 110.0,
    "liver_sd_hu": 12.0,
}


def make_gate() -> TrustGate:
    return TrustGate(CONFIG["limits"], CONFIG["liver_hu"])


def test_a_usual_scan_passes_the_shipped_limits() -> None:
    assert make_gate().compare(USUAL, "venous") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scan_height_mm", 40.0),
        ("fat_hu", -50.0),
        ("liver_ml", 90.0),
        ("liver_hu", 260.0),
        ("fat_share", 0.0),
    ],
)
def test_each_unusual_feature_is_named(name: str, value: float) -> None:
    (reason,) = make_gate().compare({**USUAL, name: value}, "venous")
    assert "usual" in reason


def test_without_a_liver() -> None:
    features = {"scan_height_mm": 250.0, "fat_hu": -100.0, "fat_share": 0.3, "liver_ml": 0.0}
    assert make_gate().compare(features, "nc") == [NO_LIVER_SEEN]


def test_limits_of_unknown_features_are_refused() -> None:
    with pytest.raises(ValueError, match="liver_colour"):
        TrustGate({"liver_colour": (0, 1)}, {})


def test_the_result_says_first_that_it_must_not_be_trusted() -> None:
    """A liver of 200 HU too much in a scan of 8 cm."""
    shape = (40, 40, 32)
    maps = np.zeros((10, *shape), np.float32)
    maps[0] = 1
    maps[:2, 8:32, 8:32, 4:28] = np.array([0, 1])[:, None, None, None]
    hu = np.where(maps[1] > 0, 310.0, 250.0)
    image = np.full((4, *shape), np.nan, np.float32)
    image[2] = (hu - WINDOW[0]) / 300 - 1
    affine = torch.diag(torch.tensor([2.5, 2.5, 2.5, 1.0], dtype=torch.float64))
    data = {
        "id": "a",
        "pred": MetaTensor(torch.from_numpy(maps), affine=affine),
        "image": MetaTensor(torch.from_numpy(image), affine=affine),
        "phases_used": ("venous",),
    }
    result = Diagnosed(window=WINDOW, trust=make_gate())(data)["result"]
    trust = result["trust"]
    assert trust["trusted"] is False and trust["features"]["liver_hu"] == pytest.approx(310, abs=1)
    assert any("310 HU in the venous phase" in reason for reason in trust["reasons"])
    assert any("80 mm high" in reason for reason in trust["reasons"])
    assert result["warnings"][0].startswith(PREFIX) and trust["reasons"][0] in result["warnings"][0]
    assert describe_distrust(result) == trust["reasons"]
    json.dumps(result)
    assert "trust" not in Diagnosed(window=WINDOW)(data)["result"]
