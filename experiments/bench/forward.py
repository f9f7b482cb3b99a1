"""Measure rows `forward` and `absent`: cost against DynUNet, and the time that an absent phase saves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from experiments.bench.benchmark_row import BenchmarkRow, make_row
from experiments.bench.paired_timing import BenchContext, Side, compute_median, compute_ratios, run_rounds
from experiments.bench.peers import build_network, count_multiply_adds
from scripts.lidia.vocabulary import PHASES

Go = Callable[[], Any]
MOST_PHASES = len(PHASES)
REPEATS = 2
"""Runs of a call whose fastest is used."""


def time_call(call: Go, repeats: int = 1) -> float:
    """Measure the seconds of the fastest of `repeats` calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def make_image(size: Sequence[int], phases: int = MOST_PHASES) -> torch.Tensor:
    """Make an image (1, 4, *size) with the first `phases` phases present and the others NaN."""
    image = torch.rand(1, MOST_PHASES, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    image[:, phases:] = torch.nan
    return image


def prepare_network_pass(*, bundle: str, kind: str, scale: str, size: Sequence[int]) -> Go:
    """Prepare a forward pass; for LIDIA it also returns the seconds of the transformer decoder."""
    network: Any = build_network(bundle, kind, scale).eval()
    image, seconds = make_image(size), [0.0]
    if kind == "lidia":
        decoder, started = network.transformer_decoder, [0.0]

        def start(*_: Any) -> None:
            started[0] = time.perf_counter()

        def stop(*_: Any) -> None:
            seconds[0] = time.perf_counter() - started[0]

        decoder.register_forward_pre_hook(start)
        decoder.register_forward_hook(stop)

    def run() -> dict[str, float]:
        with torch.no_grad():
            network(image)
        return {"decoder": seconds[0]}

    return run


def prepare_count(*, bundle: str, kind: str, scale: str, size: Sequence[int]) -> Go:
    """Prepare the count of multiply-adds of a forward pass, in 1e9."""
    network, image = build_network(bundle, kind, scale).eval(), make_image(size)
    return lambda: {"gmac": count_multiply_adds(network, image)}


def prepare_convolution(*, shapes: Sequence[Sequence[int]], repeats: int = 3) -> Go:
    """Prepare the measurement of conv3d's best speed over `shapes`, in 1e9 multiply-adds per second."""
    cases = []
    for channels, size in shapes:
        conv = nn.Conv3d(channels, channels, 3, padding=1)
        cases.append((conv, torch.randn(1, channels, size, size, size), 27 * channels**2 * size**3 / 1e9))

    def run() -> dict[str, float]:
        with torch.no_grad():
            return {"peak": max(work / time_call(partial(conv, x), repeats) for conv, x, work in cases)}

    return run


def measure_forward(
    context: BenchContext,
    *,
    size: Sequence[int],
    pairs: int,
    scales: Sequence[str],
    probe: Sequence[Sequence[int]],
) -> dict[str, BenchmarkRow]:
    """Measure each scale against DynUNet of the same encoder and against the machine's peak speed."""
    rows: dict[str, BenchmarkRow] = {}
    for scale in scales:
        options = {"bundle": str(context.bundle), "scale": scale, "size": list(size)}
        kinds = ("lidia", "dynunet", "stock") if scale == "compact" else ("lidia", "dynunet")
        sides = {kind: Side(prepare_network_pass, {**options, "kind": kind}) for kind in kinds}
        sides["peak"] = Side(prepare_convolution, {"shapes": [list(shape) for shape in probe]})
        times = run_rounds(context, f"forward_{scale}", sides, pairs=pairs)
        counts = {kind: Side(prepare_count, {**options, "kind": kind}) for kind in kinds}
        work = {
            kind: trials[0].figures["gmac"]
            for kind, trials in run_rounds(context, f"forward_{scale}_count", counts, pairs=1, warm=0).items()
        }
        figures = {f"{kind}_s": compute_median(times[kind]) for kind in kinds}
        figures |= {f"{kind}_gmac": work[kind] for kind in kinds}
        slower = compute_ratios(times["lidia"], times["dynunet"])
        more = work["lidia"] / work["dynunet"]
        what = f"forward pass, 1x4x{'x'.join(map(str, size))}, {scale}"
        peer = "MONAI DynUNet of the same encoder"
        if scale == "compact":
            rows["forward"] = make_row(
                slower, what=what, against=peer, unit="time", better="less", figures=figures
            )
            full = compute_ratios(times["stock"], times["lidia"])
            rows["forward_stock"] = make_row(
                full, what=what, against="MONAI DynUNet of the same widths, full resolution", unit="speed"
            )
        name = "forward_work" if scale == "compact" else "forward_paper"
        rows[name] = make_row(
            [ratio / more for ratio in slower],
            what=what,
            against=peer,
            unit="time a multiply-add",
            wanted=1.1,
            better="less",
            figures=figures,
            note=f"{more:.2f} times its multiply-adds",
        )
        shares = [trial.figures["decoder"] / trial.seconds for trial in times["lidia"]]
        rows[f"decoder_{scale}"] = make_row(
            shares,
            what=f"transformer decoder, {scale}",
            against="the whole forward pass",
            unit="time",
            wanted=0.15,
            better="less",
        )
        rounds = zip(times["lidia"], times["peak"], strict=True)
        rows[f"peak_{scale}"] = make_row(
            [work["lidia"] / trial.seconds / peak_trial.figures["peak"] for trial, peak_trial in rounds],
            what=f"multiply-adds a second of the forward pass, {scale}",
            against="conv3d's best in the same round",
            unit="share of the peak",
            figures={"peak_gmac_per_s": max(peak_trial.figures["peak"] for peak_trial in times["peak"])},
        )
    return rows


def prepare_subsets(*, bundle: str, size: Sequence[int], script: bool) -> Go:
    """Prepare passes with 4, 3, 2 and 1 phases, and the cost of one phase: its block and its fusion step."""
    network: Any = build_network(bundle, "lidia").eval()
    network = torch.jit.script(network) if script else network
    images = {phases: make_image(size, phases) for phases in range(MOST_PHASES, 0, -1)}
    image = images[MOST_PHASES]

    def run_phase(number: int) -> None:
        feature = network.fusion.phase_blocks[number](image[:, number : number + 1])
        network.fusion.fuse_blocks[number](torch.cat([feature, feature], dim=1))

    def run() -> dict[str, float]:
        with torch.no_grad():
            seconds = {
                str(phases): time_call(partial(network, subset), REPEATS) for phases, subset in images.items()
            }
            own = [time_call(partial(run_phase, number), REPEATS) for number in range(1, MOST_PHASES)]
        return {**seconds, "own": sum(own) / len(own)}

    return run


def measure_absent_phases(
    context: BenchContext, *, size: Sequence[int], pairs: int
) -> dict[str, BenchmarkRow]:
    """Measure the share of its own cost that each absent phase saves, eager and as TorchScript."""
    options = {"bundle": str(context.bundle), "size": list(size)}
    sides = {
        name: Side(prepare_subsets, {**options, "script": name == "torchscript"})
        for name in ("eager", "torchscript")
    }
    times = run_rounds(
        context, "absent", sides, pairs=pairs, warm=2
    )  # TorchScript optimises in its first two calls
    rows = {}
    for name, trials in times.items():
        all_phases = str(MOST_PHASES)
        for present in range(1, MOST_PHASES):
            absent = MOST_PHASES - present
            saved = [
                (trial.figures[all_phases] - trial.figures[str(present)]) / absent / trial.figures["own"]
                for trial in trials
            ]
            key = "absent" if (name, present) == ("eager", 3) else f"absent_{name}_{absent}"
            rows[key] = make_row(
                saved,
                what=f"{absent} of 4 phases absent, {name}",
                against="the time of an absent phase's own blocks",
                unit="share saved",
                wanted=0.8,
                figures={
                    f"{n}_phases_s": compute_median_figure(trials, n) for n in (all_phases, str(present))
                },
            )
    return rows


def compute_median_figure(trials: Sequence[Any], name: str) -> float:
    """Compute the median of a figure over the rounds."""
    return sorted(trial.figures[name] for trial in trials)[len(trials) // 2]
