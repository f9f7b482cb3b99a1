"""Plan the rows of the study at convergence: parts in the order in which the budget is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from experiments.study.curve import Curve, list_points
from experiments.study.systems import Run, System

BEST_RIVAL = "best_rival"
"""Name in a part that stands for the rival with the largest final AUC-8."""
_PART_KEYS = {"systems", "seed", "cap_hours"}
_ROUND_KEYS = {"epochs", "first_parts", "schedule_epochs"}


class PlannedRow(NamedTuple):
    """A training to convergence."""

    part: str
    system: str
    """Name of a system, or BEST_RIVAL."""
    seed: int
    cap_hours: float


class RoundLength(NamedTuple):
    """Length of the rounds of a system."""

    epochs: int
    """Epochs between two evaluations."""
    first_parts: int = 1
    """Equal parts of the first round, each with an evaluation, because a curve is steep at its beginning."""
    schedule_epochs: int | None = None
    """Length of the system's own schedule of the learning rate; None if its rate is constant."""

    def count_epochs(self, number: int) -> int:
        """Count the epochs of the training at the end of a round.

        Args:
            number: of the round, from 1; the parts of the first round are rounds too.
        """
        whole = max(number - self.first_parts, 0) + 1
        epochs = (
            self.epochs * whole if number > self.first_parts else self.epochs * number // self.first_parts
        )
        return min(epochs, self.schedule_epochs or epochs)


def read_plan(systems: Sequence[System], parts: Mapping[str, Mapping[str, Any]]) -> list[PlannedRow]:
    """Read the rows in their order.

    Args:
        systems: of the study.
        parts: by name `{systems, seed, cap_hours}`, in order.

    Raises:
        ValueError: a part has an unknown key or system, a row occurs twice, or a system is not trained.
    """
    given = [system.name for system in systems if system.weights is not None]
    if given:
        raise ValueError(f"systems: {', '.join(given)} names weights; every system here is trained.")
    names, rows = {system.name for system in systems}, list[PlannedRow]()
    for part, settings in parts.items():
        unknown = sorted(set(settings) - _PART_KEYS)
        if unknown:
            raise ValueError(f"parts#{part}: unknown {', '.join(unknown)}; known are {sorted(_PART_KEYS)}.")
        missing = sorted(set(settings["systems"]) - names - {BEST_RIVAL})
        if missing:
            raise ValueError(f"parts#{part} names {', '.join(missing)}, which `systems` does not define.")
        seed, cap = int(settings.get("seed", 0)), float(settings["cap_hours"])
        rows += [PlannedRow(part, name, seed, cap) for name in settings["systems"]]
    keys = [(row.system, row.seed) for row in rows]
    twice = sorted({f"{name} (seed {seed})" for name, seed in keys if keys.count((name, seed)) > 1})
    if twice:
        raise ValueError(f"parts: {', '.join(twice)} occurs twice.")
    return rows


def read_round_lengths(
    systems: Sequence[System], rounds: Mapping[str, Mapping[str, Any]]
) -> dict[str, RoundLength]:
    """Read the length of the rounds by system.

    Args:
        systems: of the study.
        rounds: by system `{epochs, first_parts, schedule_epochs}`.

    Raises:
        ValueError: a system is unknown or missing, a key is unknown or not positive, or the first round has
            fewer epochs than parts.
    """
    names = [system.name for system in systems]
    unknown, missing = sorted(set(rounds) - set(names)), [name for name in names if name not in rounds]
    if unknown or missing:
        raise ValueError(f"round_lengths: unknown systems {unknown}, missing systems {missing}.")
    lengths = {}
    for name, settings in rounds.items():
        if set(settings) - _ROUND_KEYS or min(settings.values(), default=0) < 1:
            raise ValueError(f"round_lengths#{name} is {dict(settings)}; give {sorted(_ROUND_KEYS)}, from 1.")
        lengths[name] = RoundLength(**settings)
        if lengths[name].first_parts > lengths[name].epochs:
            raise ValueError(
                f"round_lengths#{name} is {dict(settings)}; a part of the first round has no epoch."
            )
    return lengths


def find_best_rival(
    plan: Sequence[PlannedRow], curves: Mapping[str, Curve], reference: str, score: str, window: int
) -> str | None:
    """Find the rival with the largest final AUC-8 among the systems of the first part.

    Args:
        plan: all rows.
        curves: by name of the run.
        reference: system that is no rival.
        score: rule of the patient scores.
        window: evaluations whose mean is the final value.

    Returns:
        Its name; None until every rival is trained to its end.
    """
    rivals = [row.system for row in plan if row.part == plan[0].part and row.system != reference]
    finals = {}
    for name in rivals:
        curve = curves.get(name)
        if curve is None or curve.ended is None:
            return None
        areas = [point.auc8 for point in list_points(curve, score)[-window:]]
        finals[name] = sum(areas) / len(areas) if areas else 0.0
    return max(finals, key=lambda name: finals[name]) if finals else None


def resolve_run(row: PlannedRow, systems: Sequence[System], rival: str | None) -> Run | None:
    """Return the run of a row; None if it is that of the best rival, which is not known yet."""
    name = rival if row.system == BEST_RIVAL else row.system
    return next((Run(system, row.seed) for system in systems if system.name == name), None)
