"""The page and its JSON, by numbers worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.bench.bench_page import render_page
from experiments.bench.benchmark_row import BenchmarkRow, make_row, read_row
from experiments.bench.results_cache import ResultsCache, read_previous

FAST = make_row(
    [6.0, 4.0, 5.0],
    what="reading",
    against="them",
    unit="speed",
    wanted=5.0,
    figures={"ours_s": 0.2, "theirs_s": 1.0},
)
SLOW = make_row([1.5, 1.25, 1.3], what="a step", against="them", unit="time", wanted=1.25, better="less")
NONE = BenchmarkRow(ratio=None, what="a pass", against="a GPU", unit="time", wanted=2.0, note="no GPU here")
FREE = BenchmarkRow(ratio=2.0, what="a size", against="them", unit="size")


def written(**more: object) -> list[str]:
    lines = {"fast": FAST, "slow": SLOW, "none": NONE, "free": FREE}
    return render_page(lines, machine={"cores": 2}, command="make bench", **more).splitlines()  # type: ignore[arg-type]


def test_a_line_is_a_median_with_its_spread_and_a_verdict() -> None:
    assert (FAST.ratio, FAST.low, FAST.high, FAST.holds) == (5.0, 4.0, 6.0, True)
    assert (SLOW.ratio, SLOW.holds) == (1.3, False)
    assert NONE.holds is None and FREE.holds is None


def test_the_page_lists_measurements_targets_and_missed_targets() -> None:
    rows = written()
    assert "| fast | reading | them | speed | 5 (4 to 6) | at least 5: yes | - |" in rows
    assert "| slow | a step | them | time | 1.3 (1.25 to 1.5) | at most 1.25: **no** | - |" in rows
    assert "| none | a pass | a GPU | time | no GPU here | at least 2 | - |" in rows
    assert "| free | a size | them | size | 2 | - | - |" in rows
    assert any(row.startswith("1 of 2 ") for row in rows)
    assert "- `slow` 1.3 (1.25 to 1.5), at most 1.25: **no**" in rows
    assert "| fast | ours_s 0.2, theirs_s 1 |  |" in rows
    assert "| cores | 2 |" in rows and "make bench" in rows


def test_the_page_compares_with_an_older_one_and_names_what_is_missing() -> None:
    rows = written(previous={"fast": {"ratio": 4.0}, "slow": {"ratio": 2.0}}, missing=["cohort"])
    assert any(row.startswith("| fast |") and row.endswith("| +25 % |") for row in rows)
    assert any(row.startswith("| slow |") and row.endswith("| -35 % |") for row in rows)
    assert "Not measured yet: cohort." in rows


def test_a_line_survives_json() -> None:
    for entry in (FAST, SLOW, NONE, FREE):
        assert read_row(json.loads(json.dumps(entry.as_dict()))) == entry


def test_a_finished_row_is_found_again_with_the_same_options_only(tmp_path: Path) -> None:
    shelf = ResultsCache(tmp_path, {"source": "a"})
    shelf.put("row", {"size": 1}, {"fast": FAST})
    assert shelf.get("row", {"size": 1}) == {"fast": FAST}
    assert shelf.get("row", {"size": 2}) is None
    assert ResultsCache(tmp_path, {"source": "b"}).get("row", {"size": 1}) is None


def test_a_run_compares_with_the_page_that_stood_before_it(tmp_path: Path) -> None:
    docs, output = tmp_path / "docs", tmp_path / "output"
    docs.mkdir()
    last = docs / "performance.json"
    assert read_previous(output, docs, "a", None) == {}
    last.write_text('{"fast": {"ratio": 1.0}}', encoding="utf-8")
    assert read_previous(output, docs, "a", None) == {}, "what this source wrote itself is no older page"
    assert read_previous(output, docs, "b", None) == {"fast": {"ratio": 1.0}}
    last.write_text('{"fast": {"ratio": 2.0}}', encoding="utf-8")
    assert read_previous(output, docs, "b", None) == {"fast": {"ratio": 1.0}}
    assert read_previous(output, docs, "b", str(last)) == {"fast": {"ratio": 2.0}}
    with pytest.raises(FileNotFoundError):
        read_previous(output, docs, "b", str(tmp_path / "nowhere.json"))
