"""Define a finding of LI-RADS and the rule that decides it against noise."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

PRESENT, ABSENT, NOT_ASSESSED = "present", "absent", "not_assessed"


class Finding(NamedTuple):
    """Whether a feature is present, and the measurement that decides it."""

    state: str
    """`present`, `absent` or `not_assessed`."""
    reason: str = ""
    """Why it cannot be assessed, or why it is absent whatever the value."""
    phase: str = ""
    """Phase of the measurement."""
    value: float | None = None
    """Measured value: HU, or a share for growth."""
    limit: float | None = None
    """Value from which the feature is present."""
    error: float | None = None
    """Standard error of the value."""

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain types for JSON, without empty entries."""
        numbers = {"value": self.value, "limit": self.limit, "error": self.error}
        return {
            "state": self.state,
            **({"reason": self.reason} if self.reason else {}),
            **({"phase": self.phase} if self.phase else {}),
            **{name: round(number, 2) for name, number in numbers.items() if number is not None},
        }


def decide(value: float, limit: float, error: float, factor: float, phase: str) -> Finding:
    """Decide whether a value reaches its limit.

    Noise is too high if it could hide a difference as large as the limit, and the value is not farther from
    the limit than the noise reaches.

    Args:
        value: measured difference in HU; NaN if no voxel lies in a layer that is needed.
        limit: positive difference from which the feature is present.
        error: standard error of the value.
        factor: number of standard errors that count as noise.
        phase: phase of the measurement.
    """
    if not math.isfinite(value):
        return Finding(NOT_ASSESSED, "the voxels are too large for the layers that are compared", phase)
    noise = factor * error
    if noise > limit and abs(value - limit) < noise:
        reason = f"noise: {value:.0f} HU with a standard error of {error:.0f} HU"
        return Finding(NOT_ASSESSED, reason, phase, value, limit, error)
    return Finding(PRESENT if value >= limit else ABSENT, "", phase, value, limit, error)


def combine(findings: list[Finding]) -> Finding:
    """Combine the findings of one feature in several phases: one phase that shows it is sufficient."""
    for state in (PRESENT, NOT_ASSESSED):
        matches = [finding for finding in findings if finding.state == state]
        if matches:
            reasons = dict.fromkeys(finding.reason for finding in matches if finding.reason)
            return max(matches, key=_margin)._replace(reason="; ".join(reasons))
    return max(findings, key=_margin)


def _margin(finding: Finding) -> float:
    if finding.value is None or finding.limit is None:
        return float("-inf")
    return finding.value - finding.limit
