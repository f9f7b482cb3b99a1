from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scripts.lidia.study.difficulty import patient_auc
from scripts.lidia.study.features import FEATURES, Described, describe
from scripts.lidia.vocabulary import PHASES


def lesions(name: str, *groups: int) -> Described:
    count = len(groups)
    return Described(name, np.array(groups, int), np.zeros((count, FEATURES)), np.zeros((count, 4)))


def test_a_patient_is_scored_by_the_greatest_probability() -> None:
    cases = [lesions("a", 2, 7), lesions("b", 7), lesions("c")]
    rows = [np.zeros((2, 8)), np.zeros((1, 8)), np.zeros((0, 8))]
    rows[0][0, 0], rows[1][0, 0] = 0.9, 0.2
    rows[0][1, 5], rows[1][0, 5] = 0.4, 0.0
    found = patient_auc(cases, rows)
    assert found == {"HCC": 1.0, "cyst": 0.75, "auc8": 0.875}


def test_features_of_a_written_case(cohort: Path) -> None:
    datalist = json.loads((cohort / "dataset.json").read_text())
    items = [item for part in ("training", "validation", "test") for item in datalist[part]]
    for item in items:
        found = describe(item, cohort)
        assert found.rich.shape == (len(found.groups), FEATURES)
        assert len(found.groups) == len(item["lesions"])
        for column, phase in enumerate(PHASES):
            assert np.isnan(found.plain[:, column]).all() == (
                phase not in item["phases"] or not len(found.groups)
            )
    cysts = [describe(item, cohort) for item in items]
    darker = [c.plain[c.groups == 7, 2] for c in cysts]
    darker = np.concatenate(darker)
    assert (darker < -10).all() if len(darker) else pytest.skip("no cyst in this cohort")
