"""A flame graph is made of the stacks that were seen, and a busy call is seen."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from experiments.bench.flame_graphs import draw_icicle, list_bars, sample_stacks, shorten_stack, to_speedscope

STACKS = Counter({("a", "b"): 3, ("a", "c"): 1, ("d",): 2})


def test_a_stack_keeps_our_calls_and_the_innermost() -> None:
    ours = ("scripts.lidia.data.read_volume", "read_nifti")
    measuring = ("experiments.bench.worker", "timed")
    assert shorten_stack([("__main__", "main"), measuring, ours, ("nibabel", "load"), ("zlib", "z")]) == (
        "data.read_volume.read_nifti",
        "zlib.z",
    )
    assert shorten_stack([ours]) == ("data.read_volume.read_nifti",)
    assert shorten_stack([]) == ()


def test_callees_lie_below_their_callers() -> None:
    assert list_bars(STACKS) == [(0, 0.0, 4, "a"), (1, 0.0, 3, "b"), (1, 3.0, 1, "c"), (0, 4.0, 2, "d")]


def test_speedscope_s_file_holds_every_stack_with_its_seconds() -> None:
    told = to_speedscope(STACKS, "case", interval=0.5)
    names = [frame["name"] for frame in told["shared"]["frames"]]
    profile = told["profiles"][0]
    found = [tuple(names[index] for index in sample) for sample in profile["samples"]]
    assert dict(zip(found, profile["weights"], strict=True)) == {
        ("a", "b"): 1.5,
        ("a", "c"): 0.5,
        ("d",): 1.0,
    }
    assert profile["endValue"] == 3.0


def waits() -> None:
    time.sleep(0.2)


def test_what_takes_the_time_is_seen() -> None:
    seen = sample_stacks(waits, interval=0.01)
    assert any(stack and stack[-1].endswith("waits") for stack in seen)


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    draw_icicle(tmp_path / "flame.png", STACKS, "a title")
    assert (tmp_path / "flame.png").read_bytes().startswith(b"\x89PNG")
