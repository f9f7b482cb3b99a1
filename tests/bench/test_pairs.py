"""Sides run in turns, each in its own process; ratios are taken within a round."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bench.sides import failing, holding, noting

from experiments.bench.paired_timing import (
    BenchContext,
    BenchError,
    Side,
    Trial,
    compute_median,
    compute_ratios,
    run_rounds,
    summarise_spread,
)

TESTS = Path(__file__).parents[1]


@pytest.fixture
def place(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> BenchContext:
    paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return BenchContext(bundle, tmp_path, 1)


def side(name: str, file: Path) -> Side:
    return Side(noting, {"name": name, "file": str(file)})


def test_sides_take_turns_and_warm_rounds_do_not_count(place: BenchContext, tmp_path: Path) -> None:
    file = tmp_path / "turns"
    trials = run_rounds(place, "row", {"a": side("a", file), "b": side("b", file)}, pairs=2, warm=1)
    assert file.read_text(encoding="utf-8") == "ababab"
    assert [trial.figures["turn"] for trial in trials["b"]] == [2, 3]


def test_fresh_rounds_start_a_new_process_per_side(place: BenchContext, tmp_path: Path) -> None:
    file = tmp_path / "turns"
    trials = run_rounds(place, "row", {"a": side("a", file), "b": side("b", file)}, pairs=2, fresh=True)
    assert file.read_text(encoding="utf-8") == "abab"
    assert [trial.figures["turn"] for trial in trials["a"]] == [1, 1]


def test_memory_is_that_of_the_run(place: BenchContext) -> None:
    contents = {size: Side(holding, {"megabytes": int(size)}) for size in ("1", "200")}
    trials = run_rounds(place, "row", contents, pairs=1, warm=0)
    small, large = trials["1"][0], trials["200"][0]
    assert 195 < large.rise_mb - small.rise_mb < 230
    assert large.peak_mb > large.rise_mb


def test_a_failed_side_is_reported_with_its_reason_and_log(place: BenchContext) -> None:
    with pytest.raises(BenchError, match=r"row/a failed: ValueError: nothing to measure .*row_a\.log"):
        run_rounds(place, "row", {"a": Side(failing, {})}, pairs=1)


def trial(seconds: float, memory: float = 0.0) -> Trial:
    return Trial(seconds, seconds, memory, 0.0, {})


def test_ratios_are_taken_within_a_round() -> None:
    """The machine is twice as slow in the second round: times say 15/7.5, rounds say 2 both times."""
    mine, theirs = [trial(5.0, 10.0), trial(10.0, 20.0)], [trial(10.0, 40.0), trial(20.0, 40.0)]
    assert compute_ratios(theirs, mine) == [2.0, 2.0]
    assert compute_ratios(theirs, mine, "peak_mb") == [4.0, 2.0]
    assert summarise_spread([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    assert compute_median([trial(3.0), trial(1.0), trial(2.0)]) == 2.0
