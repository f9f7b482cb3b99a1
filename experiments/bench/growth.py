"""Measure row `growth`: growth of the cost with voxels, phases, queries, lesions and patients."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from matplotlib.figure import Figure

from experiments.bench.bench_cohorts import write_phantoms
from experiments.bench.bench_page import format_figure
from experiments.bench.benchmark_row import BenchmarkRow, make_row
from experiments.bench.forward import make_image
from experiments.bench.large_volumes import prepare_matching
from experiments.bench.mask_losses import prepare_mask_loss
from experiments.bench.paired_timing import BenchContext, Side, run_rounds
from experiments.bench.patient_timing import create_inference_workflow
from experiments.bench.peers import read_network_options
from experiments.bench.worker import read_peak_mb, reset_peak_memory
from scripts.lidia.atomic import write_atomically
from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.net.lidia import LIDIA

UNITS = {
    "voxels": "forward pass, times the smallest volume",
    "phases": "forward pass, phases",
    "queries": "forward pass, learned queries",
    "masks": "mask loss, queries",
    "lesions": "matching, lesions",
    "cohort": "inference, patients",
}
Go = Callable[[], Any]


def prepare_passes(*, bundle: str, kind: str, counts: Sequence[int], size: Sequence[int]) -> Go:
    """Prepare forward passes by `kind`: `voxels` (multiples of a volume), `phases`, or `queries`."""
    options = read_network_options(bundle, "compact")
    calls: dict[int, tuple[LIDIA, torch.Tensor]] = {}
    for count in counts:
        learned = {"learned_queries": count, "proposals": 0} if kind == "queries" else {}
        longer = [size[0] * count if kind == "voxels" else size[0], *size[1:]]
        image = make_image(longer, count if kind == "phases" else 4)
        calls[count] = (build_lidia(**{**options, **learned}).eval(), image)

    def run() -> dict[str, float]:
        with torch.no_grad():
            return time_calls({count: partial(net, image) for count, (net, image) in calls.items()})

    return run


def prepare_losses(*, counts: Sequence[int], size: Sequence[int]) -> Go:
    """Prepare mask losses with each count of queries."""
    shape: dict[str, Any] = {"size": list(size), "stride": 2, "width": 32, "points": 2048}
    calls = {count: prepare_mask_loss(dense=False, queries=count, **shape) for count in counts}
    return lambda: time_calls(calls)


def prepare_matchings(*, counts: Sequence[int], size: Sequence[int]) -> Go:
    """Prepare the matching of each count of lesions."""
    calls = {count: prepare_matching(who="lidia", shape=size, lesions=count) for count in counts}
    return lambda: time_calls(calls)


def prepare_cohorts(*, bundle: str, dataset: str, output: str, counts: Sequence[int]) -> Go:
    """Prepare inference.json on each count of patients; it also returns the peak memory."""
    cohort = {"dataset_dir": dataset, "section": "training"}
    flows = {count: create_inference_workflow(bundle, output, patients=count, **cohort) for count in counts}
    flows[min(counts)].run()  # the first run of a process loads code

    def run() -> dict[str, float]:
        figures: dict[str, float] = {}
        for count, flow in flows.items():
            gc.collect()
            reset_peak_memory()
            figures |= time_calls({count: flow.run})
            figures[f"mb_{count}"] = read_peak_mb()
        return figures

    return run


def time_calls(calls: Mapping[int, Go]) -> dict[str, float]:
    """Measure the seconds of each call."""
    seconds = {}
    for count, call in calls.items():
        start = time.perf_counter()
        call()
        seconds[str(count)] = time.perf_counter() - start
    return seconds


def compute_growth(figures: Mapping[str, float], counts: Sequence[int]) -> float:
    """Compute the growth of the cost over the growth of the count; 1 is linear."""
    low, high = str(min(counts)), str(max(counts))
    return figures[high] / figures[low] / (max(counts) / min(counts))


def measure_growth(
    context: BenchContext,
    *,
    pairs: int,
    voxels: Sequence[int],
    phases: Sequence[int],
    queries: Sequence[int],
    lesions: Sequence[int],
    cohort: Sequence[int],
    window: Sequence[int],
    volume: Sequence[int],
    spacing: Sequence[float],
) -> dict[str, BenchmarkRow]:
    """Measure a curve for each quantity, a line on its distance from linear growth, and draw all curves."""
    bundle = str(context.bundle)
    folder = write_phantoms(context, cases=max(cohort), spacing=spacing)
    net = {"bundle": bundle, "size": list(window)}
    inference = {
        "bundle": bundle,
        "dataset": str(folder),
        "output": str(context.output / "data" / "results" / "growth"),
    }
    plan = {
        "voxels": (Side(prepare_passes, {**net, "kind": "voxels", "counts": list(voxels)}), voxels),
        "phases": (Side(prepare_passes, {**net, "kind": "phases", "counts": list(phases)}), phases),
        "queries": (Side(prepare_passes, {**net, "kind": "queries", "counts": list(queries)}), queries),
        "masks": (Side(prepare_losses, {"counts": list(queries), "size": list(window)}), queries),
        "lesions": (Side(prepare_matchings, {"counts": list(lesions), "size": list(volume)}), lesions),
        "cohort": (Side(prepare_cohorts, {**inference, "counts": list(cohort)}), cohort),
    }
    rows: dict[str, BenchmarkRow] = {}
    curves: dict[str, dict[int, float]] = {}
    for name, (side, counts) in plan.items():
        trials = run_rounds(context, f"growth_{name}", {name: side}, pairs=1 if name == "cohort" else pairs)[
            name
        ]
        curves[name] = {count: median(trial.figures[str(count)] for trial in trials) for count in counts}
        rows[f"growth_{name}"] = make_row(
            [compute_growth(trial.figures, counts) for trial in trials],
            what=f"{UNITS[name]}: {min(counts)} to {max(counts)}",
            against="itself: 1 is linear growth",
            unit="growth of the time over that of the count",
            wanted=1.0,
            better="less",
            figures={f"{count}_s": value for count, value in curves[name].items()},
        )
        if name == "cohort":
            low, high = min(counts), max(counts)
            rows["growth_memory"] = make_row(
                [trial.figures[f"mb_{high}"] / trial.figures[f"mb_{low}"] for trial in trials],
                what=f"peak memory of a cohort of {high}",
                against=f"a cohort of {low}",
                unit="peak memory",
                wanted=1.1,
                better="less",
                figures={f"{count}_mb": trials[0].figures[f"mb_{count}"] for count in counts},
            )
    draw_curves(context.output / "images" / "growth.png", curves)
    return rows


def draw_curves(path: Path, curves: Mapping[str, Mapping[int, float]]) -> None:
    """Draw each curve in its own axes, with linear growth from the first point as a grey line."""
    canvas = Figure(figsize=(11, 6), dpi=150, layout="constrained")
    for axes, (name, curve) in zip(canvas.subplots(2, 3).flat, curves.items(), strict=True):
        counts, seconds = list(curve), list(curve.values())
        axes.plot(
            counts, [seconds[0] * count / counts[0] for count in counts], color="#9AA3AE", label="linear"
        )
        axes.plot(counts, seconds, color="#0072B2", marker="o", label="measured")
        axes.set(xscale="log", yscale="log", ylabel="seconds")
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.set_yticks(
            [min(seconds), max(seconds)], [format_figure(min(seconds)), format_figure(max(seconds))]
        )
        axes.minorticks_off()
        axes.set_title(UNITS[name], loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#E4E7EB", linewidth=0.6)
    canvas.axes[0].legend(frameon=False)
    with write_atomically(path) as temporary:
        canvas.savefig(temporary, format="png")
