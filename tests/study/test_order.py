from __future__ import annotations

import numpy as np
import pytest

from experiments.study.compare import Method
from experiments.study.paper_tables import COLUMNS, ROWS, get_printed_row
from experiments.study.rank_remarks import RankedRow, compare_order


def placed(label: str, value: float, printed_value: float, spread: float = 0.001) -> RankedRow:
    seed = sum(map(ord, label))
    draws = value + np.concatenate([[0.0], np.random.default_rng(seed).normal(0, spread, 400)])
    method = Method({"auc8": [value, value - spread, value + spread]}, {"auc8": draws}, 300)
    return RankedRow(label, method, {"auc8": printed_value})


def test_another_order_is_remarked_with_its_p() -> None:
    rows = [placed("A", 0.90, 0.80), placed("B", 0.85, 0.83), placed("C", 0.95, 0.95)]
    (sentence,) = compare_order(rows, "auc8")
    assert sentence.startswith("AUC-8: ours: A 0.900 > B 0.850; paper: B 0.830 > A 0.800; ")
    assert "more than the noise" in sentence and "p = 0.00" in sentence


def test_noise_is_called_noise() -> None:
    (sentence,) = compare_order([placed("A", 0.90, 0.80, 0.1), placed("B", 0.89, 0.83, 0.1)], "auc8")
    assert "within noise: p = " in sentence


def test_equal_figures_are_not_called_the_paper_s_order() -> None:
    entry = placed("A", 0.9, 0.8)
    (sentence,) = compare_order([entry, entry._replace(label="B", printed={"auc8": 0.9})], "auc8")
    assert sentence == "AUC-8: ours: A 0.900 = B 0.900; paper: B 0.900 > A 0.800."


def test_the_same_order_is_remarked_once_and_one_row_has_none() -> None:
    assert compare_order([placed("A", 0.9, 0.9), placed("B", 0.8, 0.8)], "auc8") == [
        "AUC-8: the 2 rows have the paper's order."
    ]
    assert compare_order([placed("A", 0.9, 0.9)], "auc8") == []


def test_the_paper_s_means_are_those_of_its_types() -> None:
    for number in (2, 3):
        for name in ROWS[number]:
            row = get_printed_row(number, name)
            assert set(row) == set(COLUMNS[number])
            mean = np.mean([value for key, value in row.items() if key != "auc8"])
            # 'HEMIS' 0.823 and the like are rounded; 'Baseline nnU-Net' and 'Baseline' agree too
            assert row["auc8"] == pytest.approx(mean, abs=2e-3), name
    with pytest.raises(ValueError, match="U-Net"):
        get_printed_row(1, "U-Net")
