"""A profile names the call that takes the time, for a browser and for speedscope."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

pytest.importorskip("pyinstrument")
from experiments.bench.flame_graphs import write_profile


def sleep_long() -> None:
    time.sleep(0.3)


def sleep_briefly() -> None:
    time.sleep(0.1)


def test_the_seconds_of_every_call_are_written(tmp_path: Path) -> None:
    page = write_profile(lambda: (sleep_long(), sleep_briefly()), tmp_path, "case")
    assert page == tmp_path / "flame_case.html" and "sleep_long" in page.read_text(encoding="utf-8")
    record = json.loads((tmp_path / "flame_case.json").read_text(encoding="utf-8"))
    names = [frame["name"] for frame in record["shared"]["frames"]]
    seconds: dict[str, float] = {}
    for event in record["profiles"][0]["events"]:
        name = names[event["frame"]]
        seconds[name] = seconds.get(name, 0.0) + (event["at"] if event["type"] == "C" else -event["at"])
    assert 0.25 < seconds["sleep_long"] < 0.6 and 0.05 < seconds["sleep_briefly"] < 0.3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flame_case.html", "flame_case.json"]
