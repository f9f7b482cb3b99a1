"""What a study compares: systems as its config names them, and one run a seed of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from experiments.study.cohorts import COHORTS
from scripts.lidia.metrics.patient_rows import RULES

KEYS = {
    "overlays",
    "training",
    "evaluation",
    "weights",
    "cohorts",
    "seeds",
    "seconds_per_step",
    "label",
    "rule",
    "table",
    "paper",
}
ROW_KEYS = {"table", "rule", "paper", "label"}


class Row(NamedTuple):
    """A system's place in one of the paper's tables."""

    table: int
    rule: str
    """Of the patient scores: the one that the paper gave it."""
    label: str
    paper: str | None
    """Name of the row in the paper; None where the paper has none."""


class System(NamedTuple):
    """A list of overlays and a few options, trained and judged like all others."""

    name: str
    label: str
    overlays: tuple[str, ...]
    training: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    weights: str | None
    """File in the bundle that is judged as it is; None where the system is trained."""
    cohorts: tuple[str, ...]
    """Where it is judged."""
    seeds: int
    seconds_per_step: float | None
    """CPU seconds, where they are known; otherwise they are measured."""
    rows: tuple[Row, ...]


class Run(NamedTuple):
    """One training of a system."""

    system: System
    seed: int

    @property
    def name(self) -> str:
        """The system's name, for a further seed with the seed behind it."""
        return self.system.name if self.seed == 0 else f"{self.system.name}_seed{self.seed}"


def read_systems(systems: Mapping[str, Mapping[str, Any]]) -> list[System]:
    """Systems as the config names them.

    Args:
        systems: by name `{overlays, training, evaluation, weights, cohorts, seeds, seconds_per_step, label,
            rule, table, paper, rows}`, each part optional. `table` is one number or several, `paper` the
            row's name there. A system that stands in tables under several rules or names gives `rows`,
            a list of `{table, rule, paper, label}`, instead.

    Raises:
        ValueError: a system has an unknown key, rule or cohort, or a name that a run of another one has.
    """
    found = [_read_system(name, dict(said)) for name, said in systems.items()]
    names = [run.name for run in list_runs(found)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Two runs of the study are called {', '.join(twice)}: rename a system.")
    return found


def list_runs(systems: Sequence[System]) -> list[Run]:
    """All trainings: the first seed of every system, then the second of those that have one, and so on."""
    most = max((system.seeds for system in systems), default=0)
    return [Run(system, seed) for seed in range(most) for system in systems if seed < system.seeds]


def _read_system(name: str, said: dict[str, Any]) -> System:
    listed = said.pop("rows", None)
    _check_keys(name, said, KEYS)
    if listed is None:
        tables = said.get("table", ())
        tables = [tables] if isinstance(tables, int) else tables
        listed = [
            {"table": table, **{key: said[key] for key in ("rule", "paper") if key in said}}
            for table in tables
        ]
    label = str(said.get("label", name))
    rows = []
    for row in listed:
        _check_keys(name, row, ROW_KEYS)
        rule = row.get("rule", "livermax")
        if rule not in RULES:
            raise ValueError(
                f"The study's system '{name}': unknown rule '{rule}'; the rules are {', '.join(RULES)}."
            )
        rows.append(Row(int(row["table"]), rule, str(row.get("label", label)), row.get("paper")))
    cohorts = tuple(said.get("cohorts", COHORTS))
    _check_keys(name, dict.fromkeys(cohorts), set(COHORTS))
    return System(
        name=name,
        label=label,
        overlays=tuple(said.get("overlays", ())),
        training=dict(said.get("training", {})),
        evaluation=dict(said.get("evaluation", {})),
        weights=said.get("weights"),
        cohorts=cohorts,
        seeds=int(said.get("seeds", 1)),
        seconds_per_step=said.get("seconds_per_step"),
        rows=tuple(rows),
    )


def _check_keys(name: str, said: Mapping[str, Any], keys: set[str]) -> None:
    unknown = sorted(set(said) - keys)
    if unknown:
        raise ValueError(
            f"The study's system '{name}': unknown {', '.join(unknown)}; known are {', '.join(sorted(keys))}."
        )
