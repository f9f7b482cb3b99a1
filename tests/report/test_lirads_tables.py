"""A lesion card shows each LI-RADS feature with its measurement; a category stands only if suggested."""

from __future__ import annotations

import re
from typing import Any

from scripts.lidia.morphometry.lirads_features import FEATURES
from scripts.lidia.report.lirads_tables import LABELS, describe_suggestion, render_lirads

ROW: dict[str, Any] = {
    "instance": 1,
    "lirads": {
        "size_mm": 24.0,
        "attenuation": {
            "arterial": {
                "core_hu": 110.4,
                "rim_hu": 101.0,
                "liver_hu": 75.2,
                "noise_hu": 9.0,
                "error_hu": 1.25,
            }
        },
        "features": {
            "nonrim_aphe": {
                "state": "present",
                "phase": "arterial",
                "value": 34.6,
                "limit": 10.0,
                "error": 1.3,
            },
            "rim_aphe": {"state": "absent", "phase": "arterial", "value": -9.0, "limit": 10.0, "error": 2.0},
            "nonperipheral_washout": {"state": "present", "value": 20.0, "limit": 5.9, "error": 1.0},
            "peripheral_washout": {"state": "absent", "reason": "the centre washes out as well"},
            "enhancing_capsule": {"state": "not_assessed", "reason": "no <delayed> phase"},
            "delayed_central_enhancement": {"state": "absent", "value": 3.0, "limit": 20.0, "error": 2.0},
            "threshold_growth": {"state": "present", "value": 0.6, "limit": 0.5},
            "enhancement": {"state": "present", "value": 60.0, "limit": 20.0, "error": 2.0},
        },
        "phases": {"nonperipheral_washout": {"venous": "absent", "delayed": "present"}},
    },
}


def read_cells(text: str) -> dict[str, list[str]]:
    """Cells of each row by its heading."""
    rows = {}
    for row in re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL):
        cells = [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        rows[cells[0]] = cells[1:]
    return rows


def test_every_feature_has_a_row_with_state_value_limit_and_reason() -> None:
    text = str(render_lirads(ROW))
    rows = read_cells(text)
    assert set(LABELS) == set(FEATURES) and all(LABELS[name] in rows for name in FEATURES)
    assert rows["APHE, nonrim"] == ["present", "35 ± 1.3 HU", "10 HU", ""]
    assert rows["washout, nonperipheral"][0] == "present (delayed)"
    assert rows["threshold growth"][1:3] == ["+60%", "+50%"]
    assert rows["enhancing capsule"] == ["cannot be assessed", "–", "–", "no &lt;delayed&gt; phase"]
    assert rows["core"] == ["–", "110", "–", "–"]
    assert "Suggested" not in text


def test_a_suggested_category_is_called_a_suggestion() -> None:
    suggestion = {"category": "LR-NC", "possible": ["LR-3", "LR-5"], "reason": "cannot be assessed: rim_aphe"}
    text = str(render_lirads({**ROW, "lirads": {**ROW["lirads"], "suggestion": suggestion}}))
    assert "Suggested LI-RADS category" in text and "LR-NC (LR-3 or LR-5)" in text
    assert describe_suggestion({"category": None, "possible": [], "reason": "x"}) == "no category; x"


def test_results_without_evidence_have_no_table() -> None:
    assert render_lirads({"instance": 1}) == ""
