"""The rule that ends a training: curves with gains worked out by hand."""

from __future__ import annotations

import pytest

from experiments.study.flatness import CurvePoint, FlatnessRule, judge_flatness, read_rule


def curve(areas: list[float], dice: list[float] | None = None, step: int = 100) -> list[CurvePoint]:
    """Evaluations every `step` steps; without `dice` it does not change."""
    values = dice or [0.7] * len(areas)
    return [
        CurvePoint(step * number, *pair) for number, pair in enumerate(zip(areas, values, strict=True), 1)
    ]


RISE = [0.50, 0.60, 0.70, 0.80, 0.85, 0.88]


def test_a_gain_below_the_limit_is_flat() -> None:
    # Twelve evaluations: three quarters of 1200 steps are 900, so 7, 8, 9 are compared with 10, 11, 12.
    # (0.900 + 0.910 + 0.905) / 3 = 0.905; (0.910 + 0.912 + 0.917) / 3 = 0.913: a gain of 0.008.
    verdict = judge_flatness(curve([*RISE, 0.900, 0.910, 0.905, 0.910, 0.912, 0.917]))
    assert verdict.flat
    assert verdict.gains == pytest.approx({"auc8": 0.008, "dice": 0.0})
    assert verdict.means == pytest.approx({"auc8": 0.913, "dice": 0.7})


def test_a_gain_at_the_limit_is_not_flat() -> None:
    # 0.75 to 0.765625: binary fractions, so that the gain is exactly the limit of 1/64
    flat, rule = [0.75] * 9, FlatnessRule(gain=0.015625)
    assert not judge_flatness(curve([*flat, 0.765625, 0.765625, 0.765625]), rule).flat
    assert judge_flatness(curve([*flat, 0.765625, 0.765625, 0.7646484375]), rule).flat


def test_both_metrics_must_be_flat() -> None:
    # Dice rises from 0.60 to 0.62 over the last quarter while the area is constant
    dice = [0.5] * 6 + [0.59, 0.60, 0.61, 0.61, 0.62, 0.63]
    verdict = judge_flatness(curve([0.9] * 12, dice))
    assert not verdict.flat and verdict.gains == pytest.approx({"auc8": 0.0, "dice": 0.02})
    assert "dice" in verdict.reason
    assert judge_flatness(curve([0.9] * 12, [0.6] * 12)).flat


def test_a_falling_curve_gains_nothing() -> None:
    assert judge_flatness(curve([0.95] * 9 + [0.90] * 3)).flat


def test_the_boundary_counts_steps_not_evaluations() -> None:
    # Three quarters of 1600 steps are 1200: the evaluations at 400, 800 and 1200 are the earlier ones,
    # whatever their distance; the means are 0.80 and 0.81
    steps = (400, 800, 1200, 1400, 1500, 1600)
    areas = (0.79, 0.80, 0.81, 0.80, 0.81, 0.82)
    verdict = judge_flatness([CurvePoint(step, area, 0.7) for step, area in zip(steps, areas, strict=True)])
    assert verdict.gains == pytest.approx({"auc8": 0.01, "dice": 0.0})
    # With 1201 in place of 1200 that evaluation lies in the last quarter: too few are left before it
    shifted = [CurvePoint(1201 if s == 1200 else s, a, 0.7) for s, a in zip(steps, areas, strict=True)]
    assert judge_flatness(shifted).gains is None


def test_a_step_at_the_boundary_survives_rounding() -> None:
    # 0.9 x 30 in floating point is below 27, where the evaluation lies
    points = [CurvePoint(step, 0.8, 0.7) for step in (9, 18, 27, 28, 29, 30)]
    assert judge_flatness(points, FlatnessRule(share=0.1)).flat


@pytest.mark.parametrize("count", range(9))
def test_too_few_evaluations_are_never_flat(count: int) -> None:
    """At equal distances: of eight, 4, 5, 6 lie before the last quarter and 6, 7, 8 are the last."""
    verdict = judge_flatness(curve([0.9] * count))
    assert not verdict.flat and verdict.gains is None and "too few" in verdict.reason
    assert (verdict.means is None) == (count < 3)


def test_nine_evaluations_are_enough() -> None:
    # Three quarters of 900 steps are 675: 4, 5, 6 are compared with 7, 8, 9
    areas = [0.1, 0.1, 0.1, 0.8, 0.8, 0.8, 0.83, 0.83, 0.83]
    assert judge_flatness(curve(areas)).gains == pytest.approx({"auc8": 0.03, "dice": 0.0})


def test_invalid_curves_and_constants_are_refused() -> None:
    with pytest.raises(ValueError, match="rise"):
        judge_flatness([CurvePoint(200, 0.9, 0.7), CurvePoint(100, 0.9, 0.7)])
    with pytest.raises(ValueError, match="step 100 is not finite"):
        judge_flatness([CurvePoint(100, float("nan"), 0.7)])
    assert read_rule({}) == FlatnessRule(3, 0.25, 0.01) and read_rule({"gain": 0.02}).gain == 0.02
    for constants in ({"windows": 3}, {"window": 0}, {"window": 2.5}, {"share": 1.0}, {"gain": 0.0}):
        with pytest.raises(ValueError, match="rule"):
            read_rule(constants)
