"""Where the time goes: a flame graph of one patient and of one training epoch, as PNG and for speedscope.app.

A thread looks at the main thread's stack every few milliseconds. Convolutions, resampling and zip let it look
while they run, so that native work is charged to the Python call behind it.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from experiments.bench.bench_cohorts import write_clinical_patient, write_phantoms
from experiments.bench.loading import prepare_training_loop
from experiments.bench.paired_timing import BenchContext
from experiments.bench.patient_timing import prepare_lidia
from scripts.lidia.atomic import write_atomically, write_json

Stacks = Counter[tuple[str, ...]]
OURS = "scripts.lidia."
COLOURS = ("#F4A261", "#E9C46A", "#E76F51", "#F6BD60", "#EE964B")


def sample_stacks(go: Callable[[], Any], interval: float = 0.005) -> Stacks:
    """Runs `go` and counts the stacks that it was found in, outermost call first."""
    main, seen, done = threading.main_thread().ident, Stacks(), threading.Event()

    def look() -> None:
        while not done.wait(interval):
            frame = sys._current_frames().get(main or 0)
            stack = []
            while frame is not None:
                stack.append((frame.f_globals.get("__name__", "?"), frame.f_code.co_qualname))
                frame = frame.f_back
            seen[shorten_stack(stack[::-1])] += 1

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        go()
    finally:
        done.set()
        thread.join()
    return seen


def shorten_stack(stack: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Names of our own calls in a stack and of the innermost call, whosever it is."""
    ours = [module.startswith(OURS) and not module.startswith(f"{OURS}bench") for module, _ in stack]
    kept = [call for call, own in zip(stack, ours, strict=True) if own]
    if stack and not ours[-1]:
        kept.append(stack[-1])
    return tuple(f"{module.removeprefix(OURS)}.{name}" for module, name in kept)


def to_speedscope(stacks: Stacks, name: str, interval: float = 0.005) -> dict[str, Any]:
    """The file that https://www.speedscope.app opens."""
    names = sorted({call for stack in stacks for call in stack})
    number = {call: index for index, call in enumerate(names)}
    weights = [count * interval for count in stacks.values()]
    profile = {
        "type": "sampled",
        "name": name,
        "unit": "seconds",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": [[number[call] for call in stack] for stack in stacks],
        "weights": weights,
    }
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "shared": {"frames": [{"name": call} for call in names]},
        "profiles": [profile],
    }


def list_bars(stacks: Stacks, start: float = 0.0, depth: int = 0) -> list[tuple[int, float, int, str]]:
    """Depth, start, width and name of every call, callers above callees, the widest first."""
    children: dict[str, Stacks] = {}
    for stack, count in stacks.items():
        if len(stack) > depth:
            children.setdefault(stack[depth], Stacks())[stack] += count
    found = []
    for name, below in sorted(children.items(), key=lambda one: -one[1].total()):
        found.append((depth, start, below.total(), name))
        found += list_bars(below, start, depth + 1)
        start += below.total()
    return found


def draw_icicle(path: Path, stacks: Stacks, title: str) -> None:
    """An icicle: the outermost call on top, width is time."""
    total = max(stacks.total(), 1)
    canvas = Figure(figsize=(13, 6), dpi=130, layout="constrained")
    axes = canvas.subplots()
    for depth, start, width, name in list_bars(stacks):
        share = width / total
        if share < 0.004:
            continue
        colour = COLOURS[hash_name(name) % len(COLOURS)]
        axes.barh(
            -depth, share, left=start / total, height=0.94, color=colour, edgecolor="white", linewidth=0.4
        )
        letters = int(share * 165)
        if letters > 6:
            said = (
                f"{name.rsplit('.', 1)[-1]} {share:.0%}" if len(name) + 5 > letters else f"{name} {share:.0%}"
            )
            axes.text(start / total + 0.002, -depth, said[:letters], va="center", fontsize=6.5, clip_on=True)
    axes.set(xlim=(0, 1), yticks=[], xticks=[], title=title)
    axes.spines[:].set_visible(False)
    with write_atomically(path) as beside:
        canvas.savefig(beside, format="png")


def hash_name(name: str) -> int:
    """The same number for the same name in every run."""
    return sum(name.encode())


def draw_flames(
    *,
    rows: Mapping[str, Mapping[str, Any]],
    output_dir: str,
    docs_dir: str,
    bundle_root: str,
    threads: int | None = None,
) -> list[Path]:
    """Flame graphs of the patient of row `patient` and of an epoch of row `data`.

    Args:
        rows: as in `run_bench`.
        output_dir: phantoms, and the files for speedscope.
        docs_dir: the pictures go to its `images`.
        bundle_root: the bundle.
        threads: of this process; None is one a core.

    Returns:
        The pictures.
    """
    place = BenchContext(Path(bundle_root).absolute(), Path(output_dir).absolute(), threads or 1, inline=True)
    size = {key: rows["patient"][key] for key in ("spacing", "fov", "looks")}
    phases = write_clinical_patient(place, **size).phases
    folder = write_phantoms(place, cases=rows["data"]["cases"], spacing=rows["data"]["spacing"])
    data, bundle = place.output / "data", str(place.bundle)
    loop: dict[str, Any] = {"cache": str(data / "cache"), "output": str(data / "training")}
    loop |= {key: rows["data"][key] for key in ("steps", "crop")}
    plan = {
        "patient": prepare_lidia(bundle=bundle, phases=phases, output=str(data / "results" / "flame")),
        "epoch": prepare_training_loop(bundle=bundle, dataset=str(folder), **loop),
    }
    pictures = []
    for name, go in plan.items():
        go()  # what is loaded or prepared once does not count
        stacks = sample_stacks(go)
        write_json(place.output / f"flame_{name}.json", to_speedscope(stacks, name))
        path = Path(docs_dir) / "images" / f"flame_{name}.png"
        draw_icicle(path, stacks, f"{name}, {stacks.total() * 0.005:.1f} s, {place.threads} thread(s)")
        pictures.append(path)
    return pictures
