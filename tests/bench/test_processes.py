"""Rows that start processes: the commands of `cohort`, and the process of `start`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from bench.small_bundle import write_small_bundle
from config_names import read

from experiments.bench import patient_timing, start_time
from experiments.bench.paired_timing import BenchContext, BenchError
from experiments.bench.patient_timing import measure_cohort, time_cohort
from experiments.bench.start_time import ANSWER, measure_start, time_python


def test_a_cohort_is_timed_with_one_process_with_two_and_with_a_reader(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[list[str], dict[str, str]]] = []

    def record_call(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        calls.append((command, options["env"]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(patient_timing, "write_phantoms", lambda *_, **__: tmp_path / "phantoms")
    monkeypatch.setattr(patient_timing.subprocess, "run", record_call)
    rows = measure_cohort(BenchContext(bundle, tmp_path, 4), cases=3, spacing=None, processes=2, pairs=1)
    assert list(rows) == ["cohort", "cohort_reader"] and rows["cohort"].wanted == 1.6
    one, two, reader = calls
    assert "torch.distributed.run" not in one[0] + reader[0] and "--nproc_per_node=2" in two[0]
    assert [env["OMP_NUM_THREADS"] for _, env in calls] == ["4", "2", "2"], "two processes share the threads"
    assert [command[command.index("--num_workers") + 1] for command, _ in calls] == ["0", "0", "1"]
    keys = set(read(bundle / "configs/inference.json"))
    for command, _ in calls:
        options = command[command.index("--config_file") + 2 :: 2]
        assert {option.removeprefix("--") for option in options} <= keys, "inference.json has these options"
        assert command[command.index("--dataset_dir") + 1] == str(tmp_path / "phantoms")


def test_a_failed_command_names_its_log(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        patient_timing.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1)
    )
    with pytest.raises(BenchError, match=r"logs/cohort_2_0\.log"):
        time_cohort(BenchContext(bundle, tmp_path, 1), tmp_path, tmp_path, processes=2, threads=1, readers=0)


def test_a_new_process_loads_the_bundle_and_answers(bundle: Path, tmp_path: Path) -> None:
    small = write_small_bundle(bundle, tmp_path)
    context = BenchContext(small, tmp_path, 1)
    assert time_python(context, ANSWER, str(tmp_path), "32", "32", "32") > 0
    with pytest.raises(BenchError, match="ValueError: nothing to load"):
        time_python(context, "raise ValueError('nothing to load')")


def test_start_is_the_ratio_of_each_round_after_the_first(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([90.0, 9.0, 6.0, 4.0, 8.0, 4.0, 7.0, 2.0])
    monkeypatch.setattr(start_time, "time_python", lambda *_: next(seconds))
    row = measure_start(BenchContext(bundle, tmp_path, 1), size=(32, 32, 32), pairs=3)["start"]
    assert (row.ratio, row.low, row.high) == (2.0, 1.5, 3.5)
    assert row.figures == {"lidia_s": 7.0, "imports_s": 4.0}
