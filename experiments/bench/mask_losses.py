"""Measure row `mask_losses`: the mask loss at sampled points against the same loss on whole masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from experiments.bench.benchmark_row import BenchmarkRow, make_row
from experiments.bench.paired_timing import BenchContext, Side, compute_median, compute_ratios, run_rounds
from scripts.lidia.loss.instance_targets import Targets
from scripts.lidia.loss.mask_loss import MaskLoss, compute_bce_and_dice


def make_problem(size: Sequence[int], stride: int, width: int, queries: int) -> tuple[Any, ...]:
    """Make features (E, x, y, z), embeddings (Q, E + 1), and a ball as target of each query."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(width, *(n // stride for n in size), generator=generator).requires_grad_()
    embeddings = (torch.randn(queries, width + 1, generator=generator) * 0.2).requires_grad_()
    grid = torch.meshgrid(*(torch.arange(n) for n in size), indexing="ij")
    masks: list[torch.Tensor] = []
    instances = torch.zeros(*size, dtype=torch.long)
    for number in range(1, queries + 1):
        centre = [int(torch.randint(n, (1,), generator=generator)) for n in size]
        apart = torch.stack([(axis - at) ** 2 for axis, at in zip(grid, centre, strict=True)])
        ball = apart.sum(dim=0) <= (min(size) / 8) ** 2
        masks.append(ball)
        instances[ball] = number
    ids = torch.arange(1, queries + 1)
    return features, embeddings, instances, Targets(torch.full_like(ids, 2), ids, torch.stack(masks))


def prepare_mask_loss(*, dense: bool, uniform: bool = False, points: int, **shape: Any) -> Callable[[], Any]:
    """Prepare the loss and its gradients; `uniform` samples uniformly, so the mean is that of all voxels."""
    features, embeddings, instances, targets = make_problem(**shape)
    sampled = MaskLoss(points=points)
    if uniform:
        sampled = MaskLoss(points=points, uncertain=0.0, foreground=0.0, boundary_fraction=0.0)
    assignment = torch.arange(len(embeddings))

    def compute_on_masks() -> tuple[torch.Tensor, torch.Tensor]:
        logits = (
            torch.einsum("qe,exyz->qxyz", embeddings[:, :-1], features) + embeddings[:, -1, None, None, None]
        )
        size = targets.masks.shape[1:]
        logits = F.interpolate(logits[None], size=size, mode="trilinear", align_corners=False)[0]
        return compute_bce_and_dice(logits.flatten(1), targets.masks.flatten(1).float())

    def compute_at_points() -> tuple[torch.Tensor, torch.Tensor]:
        drawn_points = sampled.read(features, sampled.draw(instances, targets), targets)
        return sampled(embeddings, assignment, drawn_points, sampled.pick(embeddings, drawn_points))

    def run() -> dict[str, float]:
        features.grad = embeddings.grad = None
        entropy, dice = compute_on_masks() if dense else compute_at_points()
        (entropy + dice).mean().backward()
        return {"entropy": entropy.mean().item(), "dice": dice.mean().item()}

    return run


def measure_mask_losses(
    context: BenchContext,
    *,
    size: Sequence[int],
    stride: int,
    width: int,
    queries: int,
    points: int,
    pairs: int,
) -> dict[str, BenchmarkRow]:
    """Measure memory, time and expectation of the loss at points."""
    options = {"size": list(size), "stride": stride, "width": width, "queries": queries, "points": points}
    sides = {
        "points": Side(prepare_mask_loss, {**options, "dense": False}),
        "dense": Side(prepare_mask_loss, {**options, "dense": True}),
        "uniform": Side(prepare_mask_loss, {**options, "dense": False, "uniform": True}),
    }
    timed = {name: sides[name] for name in ("points", "dense")}
    times = run_rounds(context, "mask_losses", timed, pairs=pairs)
    fresh_rounds = run_rounds(context, "mask_losses_memory", timed, pairs=pairs, fresh=True)
    uniform_rounds = run_rounds(
        context, "mask_losses_expectation", {"uniform": sides["uniform"]}, pairs=4 * pairs, warm=0
    )
    description: dict[str, Any] = {
        "what": f"mask loss, {queries} queries, {points} points",
        "against": "dense masks",
    }
    figures = {f"{name}_s": compute_median(trials) for name, trials in times.items()}
    memory = {f"{name}_mb": compute_median(trials, "rise_mb") for name, trials in fresh_rounds.items()}
    exact = times["dense"][0].figures
    drawn_means = {
        name: sum(trial.figures[name] for trial in uniform_rounds["uniform"]) / len(uniform_rounds["uniform"])
        for name in exact
    }
    apart = max(abs(drawn_means[name] / exact[name] - 1.0) for name in exact)
    return {
        "mask_losses": make_row(
            compute_ratios(times["dense"], times["points"]),
            unit="speed",
            wanted=5.0,
            figures=figures,
            **description,
        ),
        "mask_losses_memory": make_row(
            compute_ratios(fresh_rounds["dense"], fresh_rounds["points"], "rise_mb"),
            unit="memory",
            wanted=10.0,
            figures=memory,
            **description,
        ),
        "mask_losses_expectation": BenchmarkRow(
            ratio=apart,
            unit="relative difference of the means",
            wanted=0.02,
            better="less",
            figures={f"{name}_dense": value for name, value in exact.items()},
            note=f"mean of {len(uniform_rounds['uniform'])} draws of uniform points",
            **description,
        ),
    }
