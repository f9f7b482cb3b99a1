"""Conformal thresholds by hand, and their coverage on fresh cases."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.metrics.conformal import fit_threshold, fit_types, normalise_types, predict_set


def test_thresholds_by_hand() -> None:
    scores = np.arange(1, 20) / 20  # 19 cases: 0.05 .. 0.95
    assert fit_threshold(scores, 0.9) == pytest.approx(0.10)  # floor(20 * 0.1) = 2nd smallest
    assert fit_threshold(scores, 0.95) == pytest.approx(0.05)
    assert fit_threshold(scores[1:], 0.95) == 0, "18 cases cannot promise 95 %"
    assert fit_threshold([], 0.8) == 0


def test_sets_by_hand() -> None:
    few = fit_types({"HCC": [0.6], "cyst": np.full(9, 0.3)}, (0.9,))
    many = fit_types({"HCC": np.full(20, 0.5), "ICC": np.full(20, 0.4)}, (0.9,))
    scores = {"HCC": 0.2, "ICC": 0.4, "cyst": 0.29, "FNH": 0.0}
    # HCC by the second group, ICC reaches its threshold, cyst misses it, FNH has no calibration cases
    assert predict_set(scores, [few, many], 0, nonempty=True) == ["ICC", "FNH"]
    assert predict_set({"HCC": 0.2, "cyst": 0.1}, [few, many], 0, nonempty=False) == []
    assert predict_set({"HCC": 0.2, "cyst": 0.1}, [few, many], 0, nonempty=True) == ["HCC"]


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_every_type_is_covered_on_fresh_cases(coverage: float) -> None:
    """Type b is harder than type a; class-conditional thresholds cover both."""
    rng = np.random.default_rng(1)

    def draw(count: int) -> dict[str, np.ndarray]:
        return {"a": rng.beta(8, 1, count), "b": rng.beta(2, 2, count)}

    calibrated, fresh = fit_types(draw(4000), (coverage,)), draw(20000)
    for name, scores in fresh.items():
        assert (scores >= calibrated[name].thresholds[0]).mean() == pytest.approx(coverage, abs=0.02)


def test_types_are_relative_to_the_existence() -> None:
    assert normalise_types([[0.2, 0.2, 0.1], [0, 0, 0]]) == pytest.approx(
        np.array([[0.4, 0.4, 0.2], [0, 0, 0]])
    )
