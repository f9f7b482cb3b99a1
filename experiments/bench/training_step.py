"""Measure row `training`: a step of the trainer, against a step of DynUNet with the same encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.data import DataLoader
from monai.engines import SupervisedTrainer
from monai.utils import set_determinism

from experiments.bench.bench_cohorts import write_phantoms
from experiments.bench.benchmark_row import BenchmarkRow, make_row
from experiments.bench.paired_timing import BenchContext, Side, compute_median, compute_ratios, run_rounds
from experiments.bench.peers import build_network
from scripts.lidia.baselines.unet import SemanticCriterion
from scripts.lidia.optim.sharpness import SharpnessAware
from scripts.lidia.runtime.precision import supports_bf16
from scripts.lidia.training.batch import prepare_batch
from scripts.lidia.training.gradient_clipping import ClipGradients
from scripts.lidia.training.optimizer import weight_groups
from scripts.lidia.training.update_step import UpdateStep

CONFIGS = {
    "compact": [],
    "paper": ["configs/overlays/networks/paper_scale.yaml", "configs/overlays/recipes/paper_scale.yaml"],
}


def read_training_config(bundle: str, scale: str, **options: Any) -> ConfigParser:
    """Read train.json with the overlay of a scale and options, without its bootstrap."""
    parser = ConfigParser()
    parser.read_config([str(Path(bundle) / file) for file in ("configs/train.json", *CONFIGS[scale])])
    parser.update({"bundle_root": bundle, "bootstrap": True, **options})
    return parser


def read_batch(parser: ConfigParser) -> list[dict[str, Any]]:
    """Read two crops of the training's own data set."""
    cases = parser.get_parsed_content("train#dataset")
    return [cases[index % len(cases)] for index in range(2)]


def prepare_step(
    *,
    bundle: str,
    kind: str,
    scale: str,
    dataset: str,
    cache: str,
    crop: Sequence[int],
    sam: bool,
    bf16: bool,
) -> Callable[[], None]:
    """Prepare one step of the trainer on two fixed crops: network, losses, gradients, clipping, update."""
    set_determinism(0)
    options = {"dataset_dir": dataset, "cache_dir": cache, "train#crop#size": list(crop)}
    parser = read_training_config(bundle, scale, **options)
    batch = read_batch(parser)
    network = build_network(bundle, kind, scale)
    criterion = parser.get_parsed_content("loss") if kind == "lidia" else SemanticCriterion()
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=DataLoader(batch, batch_size=len(batch)),
        network=network,
        optimizer=torch.optim.AdamW(weight_groups(network=network, weight_decay=0.01), lr=1e-5),
        loss_function=criterion,
        prepare_batch=prepare_batch,
        iteration_update=UpdateStep(
            sam=SharpnessAware() if sam else None, precision="bf16" if bf16 else "fp32"
        ),
        train_handlers=[ClipGradients(max_norm=1.0)],
        decollate=False,
    )
    return trainer.run


def measure_training(
    context: BenchContext,
    *,
    crops: Mapping[str, Sequence[int]],
    pairs: int,
    cohort: Sequence[Any],
    bf16: bool,
) -> dict[str, BenchmarkRow]:
    """Measure a step with and without SAM, and its memory, at each scale's crop."""
    cases, spacing = cohort
    folder = write_phantoms(context, cases=cases, spacing=spacing)
    rows: dict[str, BenchmarkRow] = {}
    for scale, crop in crops.items():
        options = {"bundle": str(context.bundle), "scale": scale, "dataset": str(folder), "crop": list(crop)}
        options["cache"] = str(context.output / "data" / "cache")
        lidia = Side(prepare_step, {**options, "kind": "lidia", "sam": False, "bf16": False})
        sides = {
            "lidia": lidia,
            "dynunet": Side(lidia.call, {**lidia.options, "kind": "dynunet"}),
        }
        compact = scale == "compact"
        if compact:
            sides["sam"] = Side(lidia.call, {**lidia.options, "sam": True})
        has_bf16 = compact and bf16 and supports_bf16(torch.device("cpu"))
        if has_bf16:
            sides["lidia_bf16"] = Side(lidia.call, {**lidia.options, "bf16": True})
            sides["dynunet_bf16"] = Side(lidia.call, {**lidia.options, "kind": "dynunet", "bf16": True})
        times = run_rounds(context, f"training_{scale}", sides, pairs=pairs)
        figures = {f"{name}_s": compute_median(trials) for name, trials in times.items()}
        memory = {f"{name}_mb": compute_median(trials, "peak_mb") for name, trials in times.items()}
        name = "training" if compact else "training_paper"
        what = f"training step, batch 2 of {'x'.join(map(str, crop))}, {scale}, float32"
        peer = "DynUNet of the same encoder, its semantic loss"
        rows[name] = make_row(
            compute_ratios(times["lidia"], times["dynunet"]),
            what=what,
            against=peer,
            unit="time",
            wanted=2.5 if compact else None,
            better="less",
            figures=figures,
        )
        if compact:
            rows[f"{name}_sam"] = make_row(
                compute_ratios(times["sam"], times["lidia"]),
                what=f"{what}, with SAM",
                against="itself without SAM",
                unit="time",
                wanted=2.05,
                better="less",
            )
        rows[f"{name}_memory"] = make_row(
            compute_ratios(times["lidia"], times["dynunet"], "peak_mb"),
            what=what,
            against=peer,
            unit="peak memory",
            wanted=1.25 if compact else None,
            better="less",
            figures=memory,
        )
        if compact:
            description: dict[str, Any] = {"unit": "time", "better": "less", "against": f"{peer}, bfloat16"}
            description["what"] = what.replace("float32", "bfloat16, as train.json has it")
            rows[f"{name}_bf16"] = (
                make_row(compute_ratios(times["lidia_bf16"], times["dynunet_bf16"]), **description)
                if has_bf16
                else BenchmarkRow(ratio=None, note="this CPU has no bfloat16", **description)
            )
    return rows
