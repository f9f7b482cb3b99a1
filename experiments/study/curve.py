"""The validation curve of a training, stored in the archive after each round.

RUN/curve.json     key, command, phantom, part, cap, how it ended, and the metrics of every round
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from experiments.study.flatness import CurvePoint, FlatnessRule, judge_flatness
from scripts.lidia.atomic import write_json
from scripts.lidia.metrics.patient_rows import RULES

SECONDS = 3600.0
AREAS = tuple(f"{prefix}{name}" for prefix in RULES.values() for name in ("auc8", "auc2"))
STORED = (*AREAS, "dice", "precision", "sensitivity", "accuracy", "liver_dice")
"""Metrics of a round; those of a patient branch are None if the network has none."""
ENDINGS = {
    "rule": "the rule of flatness",
    "cap": "the cap",
    "schedule": "the end of its own schedule",
}
"""What ended a training."""


class Round(NamedTuple):
    """State of a training at the end of a round."""

    number: int
    """From 1."""
    epochs: int
    step: int
    cpu_seconds: float
    """Of all steps so far, without evaluations."""
    metrics: dict[str, float | None]
    """By STORED."""


class Curve(NamedTuple):
    """A training and its evaluations so far."""

    key: str
    """Hash of configs, options and cohorts; rounds with other keys are not comparable."""
    command: str
    """Command of the last round, without the folders of this machine."""
    phantom: str | None
    part: str
    cap_hours: float
    shared_with: str | None
    """Longer run whose first rounds these are; None if it was trained by itself."""
    ended: str | None
    """One of ENDINGS; None if the training is not finished."""
    rounds: tuple[Round, ...]

    @property
    def cpu_hours(self) -> float:
        """CPU hours of all steps."""
        return self.rounds[-1].cpu_seconds / SECONDS if self.rounds else 0.0


def get_curve_path(archive: Path, run: str) -> Path:
    """Return the file of a run's curve."""
    return archive / run / "curve.json"


def read_curve(archive: Path, run: str) -> Curve | None:
    """Read the curve of a run; None if it has none."""
    path = get_curve_path(archive, run)
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    rounds = tuple(Round(**record) for record in content.pop("rounds"))
    return Curve(**content, rounds=rounds)


def write_curve(archive: Path, run: str, curve: Curve) -> None:
    """Write the curve of a run."""
    content = curve._asdict() | {"rounds": [record._asdict() for record in curve.rounds]}
    write_json(get_curve_path(archive, run), content)


def select_metrics(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """Select the metrics of a round from the content of `metrics.json`."""
    return {name: metrics[name]["value"] if name in metrics else None for name in STORED}


def list_points(curve: Curve, score: str) -> list[CurvePoint]:
    """List the evaluations for the rule of flatness.

    Args:
        curve: the curve.
        score: rule of the patient scores whose AUC-8 is taken (`livermax`, `pixelcount` or `branch`).

    Returns:
        Points in the order of the steps; an evaluation without a defined AUC-8 or Dice is left out.
    """
    points = []
    for record in curve.rounds:
        area, dice = record.metrics[f"{RULES[score]}auc8"], record.metrics["dice"]
        if area is not None and dice is not None:
            points.append(CurvePoint(record.step, area, dice))
    return points


def find_end(
    curve: Curve,
    *,
    cap_hours: float,
    next_epochs: int,
    schedule_epochs: int | None,
    score: str,
    rule: FlatnessRule,
) -> str | None:
    """Find whether a training ends after its last round, and why.

    A further round begins only if it fits under the cap, at the cost of an epoch of the last one. A training
    with a schedule of its own runs to the end of the schedule, because a rate that decays improves the
    network at the end.

    Args:
        curve: the curve so far.
        cap_hours: largest number of CPU hours.
        next_epochs: epochs at the end of the next round.
        schedule_epochs: length of the training's own schedule; None if it has none.
        score: see `list_points`.
        rule: of flatness.

    Returns:
        One of ENDINGS, or None if the training continues.
    """
    if not curve.rounds:
        return None
    last = curve.rounds[-1]
    if schedule_epochs is None:
        if judge_flatness(list_points(curve, score), rule).flat:
            return "rule"
    elif last.epochs >= schedule_epochs:
        return "schedule"
    before = curve.rounds[-2] if len(curve.rounds) > 1 else last._replace(epochs=0, cpu_seconds=0.0)
    cost = (last.cpu_seconds - before.cpu_seconds) / (last.epochs - before.epochs)
    next_end = last.cpu_seconds + cost * (next_epochs - last.epochs)
    return "cap" if next_end > cap_hours * SECONDS else None


def cut_curve(curve: Curve, cap_hours: float) -> Curve:
    """Cut a curve to the rounds that fit under a cap, the first one in any case."""
    rounds = tuple(r for r in curve.rounds if r.cpu_seconds <= cap_hours * SECONDS)
    return curve._replace(rounds=rounds or curve.rounds[:1])
