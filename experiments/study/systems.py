"""Read the systems of a study from its config, and list their runs, one per seed."""

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
    """A row of a system in one of the paper's tables."""

    table: int
    rule: str
    """Rule of the patient scores that the paper used for it."""
    label: str
    paper: str | None
    """Name of the row in the paper; None if the paper has none."""


class System(NamedTuple):
    """A method: overlays and options, trained and evaluated like all others."""

    name: str
    label: str
    overlays: tuple[str, ...]
    training: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    weights: str | None
    """File in the bundle that is evaluated without training; None if the system is trained."""
    cohorts: tuple[str, ...]
    """Cohorts that it is evaluated on."""
    seeds: int
    seconds_per_step: float | None
    """CPU seconds; None if they are to be measured."""
    rows: tuple[Row, ...]


class Run(NamedTuple):
    """One training of a system."""

    system: System
    seed: int

    @property
    def name(self) -> str:
        """Name of the system, followed by the seed if it is not 0."""
        return self.system.name if self.seed == 0 else f"{self.system.name}_seed{self.seed}"


def read_systems(systems: Mapping[str, Mapping[str, Any]]) -> list[System]:
    """Read the systems of the config.

    Args:
        systems: by name `{overlays, training, evaluation, weights, cohorts, seeds, seconds_per_step, label,
            rule, table, paper, rows}`, each part optional. `table` is one number or several, `paper` the
            row's name there. A system with several rows, rules or names gives `rows`,
            a list of `{table, rule, paper, label}`, instead.

    Raises:
        ValueError: a system has an unknown key, rule or cohort, or a name that a run of another one has.
    """
    system_list = [_read_system(name, dict(options)) for name, options in systems.items()]
    names = [run.name for run in list_runs(system_list)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Two runs of the study are called {', '.join(twice)}: rename a system.")
    return system_list


def list_runs(systems: Sequence[System]) -> list[Run]:
    """List all runs: the first seed of every system, then the second seeds, and so on."""
    max_seeds = max((system.seeds for system in systems), default=0)
    return [Run(system, seed) for seed in range(max_seeds) for system in systems if seed < system.seeds]


def _read_system(name: str, options: dict[str, Any]) -> System:
    row_options = options.pop("rows", None)
    _check_keys(name, options, KEYS)
    if row_options is None:
        tables = options.get("table", ())
        tables = [tables] if isinstance(tables, int) else tables
        row_options = [
            {"table": table, **{key: options[key] for key in ("rule", "paper") if key in options}}
            for table in tables
        ]
    label = str(options.get("label", name))
    rows = []
    for row in row_options:
        _check_keys(name, row, ROW_KEYS)
        rule = row.get("rule", "livermax")
        if rule not in RULES:
            raise ValueError(
                f"The study's system '{name}': unknown rule '{rule}'; the rules are {', '.join(RULES)}."
            )
        rows.append(Row(int(row["table"]), rule, str(row.get("label", label)), row.get("paper")))
    cohorts = tuple(options.get("cohorts", COHORTS))
    _check_keys(name, dict.fromkeys(cohorts), set(COHORTS))
    return System(
        name=name,
        label=label,
        overlays=tuple(options.get("overlays", ())),
        training=dict(options.get("training", {})),
        evaluation=dict(options.get("evaluation", {})),
        weights=options.get("weights"),
        cohorts=cohorts,
        seeds=int(options.get("seeds", 1)),
        seconds_per_step=options.get("seconds_per_step"),
        rows=tuple(rows),
    )


def _check_keys(name: str, options: Mapping[str, Any], keys: set[str]) -> None:
    unknown = sorted(set(options) - keys)
    if unknown:
        raise ValueError(
            f"The study's system '{name}': unknown {', '.join(unknown)}; known are {', '.join(sorted(keys))}."
        )
