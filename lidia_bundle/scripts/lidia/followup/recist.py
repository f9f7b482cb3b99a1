"""Compute the response by RECIST 1.1, restricted to the liver.

Source: Eisenhauer, E. A. et al.: New response evaluation criteria in solid tumours: revised RECIST guideline
(version 1.1). Eur J Cancer 2009;45:228-247. Only the liver is known of the patient's disease, so at most two
targets are chosen (the limit of one organ). Unequivocal progression of non-targets is left to the reader.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

PRESENT, ABSENT, NOT_COVERED = "present", "absent", "not covered"


class RecistLimits(NamedTuple):
    """Limits of RECIST 1.1.

    Attributes:
        max_targets: targets in one organ (section 3.1.4).
        min_target_mm: smallest longest diameter of a target (section 3.1.1).
        response_percent: decrease of the sum against the baseline for a partial response (section 4.3.1).
        progression_percent: increase of the sum against its smallest value for progression.
        progression_mm: absolute increase for progression; both must be reached.
        target_types: lesion types that count as disease; benign types are no targets.
    """

    max_targets: int
    min_target_mm: float
    response_percent: float
    progression_percent: float
    progression_mm: float
    target_types: tuple[str, ...]


class Observation(NamedTuple):
    """A lesion at one date.

    Attributes:
        state: `present`, `absent` or `not covered`.
        longest_mm: longest diameter, the sum of all parts of a lesion that has split; 0 for a lesion that is
            counted in another one.
    """

    state: str
    longest_mm: float = 0.0


def choose_targets(baseline: Mapping[int, tuple[str, float]], limits: RecistLimits) -> list[int]:
    """Choose the targets: the largest lesions of the disease at baseline.

    Args:
        baseline: lesion -> type and longest diameter (mm) at the first date.
        limits: limits of RECIST.
    """
    measurable = [
        (longest, lesion)
        for lesion, (kind, longest) in baseline.items()
        if kind in limits.target_types and longest >= limits.min_target_mm
    ]
    measurable.sort(key=lambda entry: (-entry[0], entry[1]))
    return sorted(lesion for _, lesion in measurable[: limits.max_targets])


def assess_response(
    targets: Sequence[int],
    non_targets: Sequence[int],
    dates: Sequence[Mapping[int, Observation]],
    new_lesions: Sequence[Sequence[int]],
    limits: RecistLimits,
) -> list[dict[str, Any]]:
    """Assess every date after the first.

    Args:
        targets: lesions from `choose_targets`.
        non_targets: the other lesions of the disease at baseline.
        dates: observations by lesion at each date; the first is the baseline.
        new_lesions: lesions of the disease that are new, by date; they stay new at all later dates.
        limits: limits of RECIST.

    Returns:
        For each date `sum_mm` (None if a target is not covered), `from_baseline_percent`,
        `from_nadir_percent`, `from_nadir_mm`, `target_response`, `non_target_response`, `new_lesions` and
        `response`. Responses are `CR`, `PR`, `SD`, `PD`, `NE` (not evaluable), for non-targets
        `non-CR/non-PD`; None where there is nothing to assess.
    """
    sums = [_sum(targets, observations) for observations in dates]
    baseline, rows = sums[0], [_make_row(sums[0], new_lesions[0])]
    progressed: list[int] = []
    for number in range(1, len(dates)):
        progressed += [lesion for lesion in new_lesions[number] if lesion not in progressed]
        earlier = [value for value in sums[:number] if value is not None]
        total = sums[number]
        row = _make_row(total, progressed)
        row["target_response"] = _assess_targets(total, baseline, earlier, len(targets), limits)
        row["non_target_response"] = _assess_non_targets(non_targets, dates[number])
        if total is not None and baseline:
            row["from_baseline_percent"] = round(100 * (total / baseline - 1), 1)
        if total is not None and earlier and min(earlier) > 0:
            row["from_nadir_percent"] = round(100 * (total / min(earlier) - 1), 1)
            row["from_nadir_mm"] = round(total - min(earlier), 2)
        row["response"] = _combine(row["target_response"], row["non_target_response"], bool(progressed))
        rows.append(row)
    return rows


def _make_row(total: float | None, new_lesions: Sequence[int]) -> dict[str, Any]:
    return {
        "sum_mm": None if total is None else round(total, 2),
        "from_baseline_percent": None,
        "from_nadir_percent": None,
        "from_nadir_mm": None,
        "target_response": None,
        "non_target_response": None,
        "new_lesions": list(new_lesions),
        "response": None,
    }


def _sum(targets: Sequence[int], observations: Mapping[int, Observation]) -> float | None:
    """Sum the longest diameters; None without a target, or if one is not covered."""
    if not targets or any(observations[lesion].state == NOT_COVERED for lesion in targets):
        return None
    return sum(observations[lesion].longest_mm for lesion in targets)


def _assess_targets(
    total: float | None, baseline: float | None, earlier: Sequence[float], targets: int, limits: RecistLimits
) -> str | None:
    if not targets:
        return None
    if total is None or not baseline:
        return "NE"
    nadir = min(earlier)
    if total == 0:
        return "CR"
    grown = total - nadir
    if grown >= limits.progression_mm and grown >= nadir * limits.progression_percent / 100:
        return "PD"
    return "PR" if total <= baseline * (1 - limits.response_percent / 100) else "SD"


def _assess_non_targets(lesions: Sequence[int], observations: Mapping[int, Observation]) -> str | None:
    if not lesions:
        return None
    states = {observations[lesion].state for lesion in lesions}
    if PRESENT in states:
        return "non-CR/non-PD"
    return "NE" if NOT_COVERED in states else "CR"


def _combine(targets: str | None, non_targets: str | None, has_new: bool) -> str | None:
    """Combine the responses by tables 1 and 2 of RECIST 1.1; None without any disease at baseline."""
    if has_new or targets == "PD":
        return "PD"
    if targets is None:
        return non_targets
    if targets == "CR":
        if non_targets in (None, "CR"):
            return "CR"
        return "PR"
    return targets
