"""Judge whether a validation curve is flat: the rule that ends a training at convergence.

A curve is flat when AUC-8 and the Dice of all lesions, each the mean of the last three evaluations, gain less
than 0.01 over the last quarter of the steps. The earlier mean is that of the last three evaluations at or
before three quarters of the steps. The two means share no evaluation, because shared evaluations would reduce
the gain. A curve is therefore judged from nine evaluations at equal distances.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

METRICS = ("auc8", "dice")
"""Metrics that the rule reads."""
_MARGIN = 1e-9
"""Room for rounding of a step that lies at the boundary of the last quarter."""


class CurvePoint(NamedTuple):
    """One evaluation of a training."""

    step: int
    auc8: float
    dice: float
    """Dice of all lesions."""


class FlatnessRule(NamedTuple):
    """Constants of the rule."""

    window: int = 3
    """Evaluations in a mean."""
    share: float = 0.25
    """Last share of the steps."""
    gain: float = 0.01
    """A metric still rises if it gains this much or more."""


class Verdict(NamedTuple):
    """Result of the rule."""

    flat: bool
    gains: dict[str, float] | None
    """Gain of each metric over the last share of the steps; None if there are too few evaluations."""
    means: dict[str, float] | None
    """Mean of the last evaluations of each metric, the final value; None if there are fewer evaluations."""
    reason: str


def read_rule(constants: dict[str, float]) -> FlatnessRule:
    """Read the constants of the rule from a config.

    Args:
        constants: any of `window`, `share` and `gain`.

    Raises:
        ValueError: a constant is unknown or out of range.
    """
    unknown = sorted(set(constants) - set(FlatnessRule._fields))
    if unknown:
        known = ", ".join(FlatnessRule._fields)
        raise ValueError(f"rule: unknown {', '.join(unknown)}; the rule of flatness has {known}.")
    rule = FlatnessRule(**constants)  # type: ignore[arg-type]
    if rule.window < 1 or rule.window != int(rule.window):
        raise ValueError(f"rule#window is {rule.window}; give a whole number of evaluations from 1.")
    if not 0 < rule.share < 1 or not rule.gain > 0:
        raise ValueError(f"rule: share {rule.share} must lie between 0 and 1, gain {rule.gain} above 0.")
    return rule._replace(window=int(rule.window))


def judge_flatness(curve: Sequence[CurvePoint], rule: FlatnessRule | None = None) -> Verdict:
    """Judge a validation curve by the rule.

    Args:
        curve: evaluations in the order of their steps.
        rule: constants of the rule; by default those of `FlatnessRule`.

    Returns:
        The verdict. A curve that falls gains nothing and is flat.

    Raises:
        ValueError: the steps do not rise, or a value is not finite.
    """
    rule = FlatnessRule() if rule is None else rule
    _check_curve(curve)
    means = compute_final_means(curve, rule.window)
    boundary = (1 - rule.share) * curve[-1].step * (1 + _MARGIN) if curve else 0.0
    earlier = [point for point in curve if point.step <= boundary][-rule.window :]
    recent = curve[-rule.window :]
    if means is None or len(earlier) < rule.window or earlier[-1].step >= recent[0].step:
        reason = (
            f"{len(curve)} evaluations are too few: the means of {rule.window} at the end and {rule.window} "
            f"before the last {rule.share:.0%} of the steps would share evaluations"
        )
        return Verdict(False, None, means, reason)
    before = _average(earlier)
    gains = {name: means[name] - before[name] for name in METRICS}
    rising = [name for name in METRICS if not gains[name] < rule.gain]
    values = ", ".join(f"{name} {gains[name]:+.4f}" for name in METRICS)
    verb = f"{' and '.join(rising)} still rising" if rising else f"each below {rule.gain:g}"
    return Verdict(
        not rising, gains, means, f"gains over the last {rule.share:.0%} of the steps: {values}; {verb}"
    )


def compute_final_means(
    curve: Sequence[CurvePoint], window: int = FlatnessRule().window
) -> dict[str, float] | None:
    """Compute the mean of the last evaluations of each metric; None with fewer evaluations than `window`."""
    return _average(curve[-window:]) if len(curve) >= window else None


def _average(points: Sequence[CurvePoint]) -> dict[str, float]:
    return {name: math.fsum(getattr(point, name) for point in points) / len(points) for name in METRICS}


def _check_curve(curve: Sequence[CurvePoint]) -> None:
    steps = [point.step for point in curve]
    if any(later <= step for step, later in zip(steps, steps[1:], strict=False)):
        raise ValueError(f"The steps of a curve must rise; these are {steps}.")
    for point in curve:
        if not all(math.isfinite(value) for value in point):
            raise ValueError(f"The evaluation at step {point.step} is not finite: {point}.")
