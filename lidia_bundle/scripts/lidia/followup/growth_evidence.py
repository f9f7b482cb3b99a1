"""Add the growth of a lesion to the LI-RADS evidence of the latest date."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripts.lidia.followup.read_study import Study
from scripts.lidia.morphometry.lirads_category import suggest_category
from scripts.lidia.morphometry.lirads_finding import ABSENT, PRESENT, Finding


def combine_growth(findings: Sequence[Finding]) -> Finding | None:
    """Combine the findings against several earlier dates: one that shows growth is sufficient.

    A date that excludes growth decides before one that cannot be assessed.

    Args:
        findings: from `assess_growth`, in order of the earlier dates.

    Returns:
        The finding; None if there are none.
    """
    for state in (PRESENT, ABSENT):
        matches = [finding for finding in findings if finding.state == state]
        if matches:
            return max(matches, key=lambda finding: finding.value or 0.0)
    return findings[-1] if findings else None


def update_evidence(study: Study, instance: int | None, growth: Finding | None) -> dict[str, Any] | None:
    """Update the LI-RADS evidence of a lesion by its growth, and the category if the result suggests one.

    Args:
        study: the latest date.
        instance: number of the lesion there, None if that date does not show it.
        growth: finding against the earlier dates; None keeps that of the result.

    Returns:
        The evidence as in `ID.json`; None if the result has none.
    """
    if instance is None:
        return None
    rows = {int(row["instance"]): row for row in study.content.result["lesions"]}
    evidence = rows[instance].get("lirads")
    if not evidence:
        return None
    if growth is None:
        return dict(evidence)
    features = {**evidence["features"], "threshold_growth": growth.as_dict()}
    updated = {**evidence, "features": features}
    if "suggestion" in evidence:
        updated["suggestion"] = suggest_category(updated, str(rows[instance]["type"]))
    return updated
