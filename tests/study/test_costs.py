"""The estimated cost of a study, and the measured cost of a training."""

from __future__ import annotations

from pathlib import Path

from study.judged import trained
from study.test_jobs import of, places

from experiments.study.archive import read_cpu_seconds
from experiments.study.costs import format_budget, read_cost
from experiments.study.systems import Run, read_systems


def test_an_epoch_done_twice_counts_once(tmp_path: Path) -> None:
    log = tmp_path / "training.log"
    assert read_cpu_seconds(log) is None
    log.write_text(
        "x INFO: Epoch[1] Metrics -- cpu_seconds: 10.5000 loss: 3\n"
        "x INFO: Epoch[2] Metrics -- cpu_seconds: 99.0 loss: 3\n"
        "x INFO: Epoch[2] Metrics -- auc8: 0.7\n"
        "x INFO: Epoch[2] Metrics -- cpu_seconds: 11.5000 gradient_norm: 1\n"
    )
    assert read_cpu_seconds(log) == 22.0


def test_the_cost_of_a_step_follows_the_config_or_an_earlier_seed(tmp_path: Path) -> None:
    message, remaining, new = read_systems({"a": {"seconds_per_step": 2}, "lidia": {"seeds": 3}, "li": {}})
    trained(tmp_path / "study", tmp_path / "run", Run(remaining, 2), steps=60)
    assert read_cost(tmp_path / "study", Run(message, 0)) == 2.0
    assert read_cost(tmp_path / "study", Run(remaining, 0)) == 0.5
    assert read_cost(tmp_path / "study", Run(new, 0)) is None


def test_the_total_is_printed_in_hours() -> None:
    jobs = [job._replace(cost=1800.0) for name in ("lidia", "unet") for job in of(name, places())]
    lines = format_budget(jobs, 2).splitlines()
    assert lines[0] == "6 jobs ahead; 1.5 hours with 2 workers; core-hours:"
    assert [line.split() for line in lines[1:]] == [
        ["lidia", "1.50"],
        ["unet", "1.50"],
        ["in", "all", "3.00"],
    ]
