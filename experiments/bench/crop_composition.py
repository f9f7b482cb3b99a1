"""Measure row `compose`: CPU seconds of a crop composed from unlabelled CT, against those of a step."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.utils import set_determinism

from experiments.bench.bench_cohorts import write_phantoms
from experiments.bench.benchmark_row import BenchmarkRow, make_row
from experiments.bench.paired_timing import BenchContext, Side, compute_median, compute_ratios, run_rounds
from experiments.bench.training_step import prepare_step

CONFIGS = ("configs/train.json", "configs/overlays/recipes/real_ct.yaml")


def write_background(folder: Path) -> Path:
    """Write a datalist with one background: venous phase and liver of the first phantom of a cohort."""
    item = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["training"][0]
    background = {"id": "phantom", "phases": {"venous": item["phases"]["venous"]}, "liver": item["liver"]}
    path = folder / "background.json"
    path.write_text(json.dumps({"training": [background]}), encoding="utf-8")
    return path


def prepare_composition(
    *, bundle: str, backgrounds: str, cache: str, implants: int, crop: Sequence[int], visits: int
) -> Callable[[], None]:
    """Prepare visits of a background with the augmentation of the recipe; maps are cached before."""
    set_determinism(0)
    parser = ConfigParser()
    parser.read_config([str(Path(bundle) / file) for file in CONFIGS])
    parser.update({
        "bundle_root": bundle,
        "bootstrap": True,
        "backgrounds": backgrounds,
        "cache_dir": cache,
        "implants_per_background": implants,
        "patch_size": list(crop),
    })
    cases: Any = parser.get_parsed_content("train#backgrounds")
    cases.prepare()

    def run() -> None:
        cases.set_random_state(0)
        for number in range(visits):
            cases[number % len(cases)]

    return run


def measure_composition(
    context: BenchContext,
    *,
    cohort: Sequence[Any],
    implants: int,
    crop: Sequence[int],
    visits: int,
    pairs: int,
) -> dict[str, BenchmarkRow]:
    """Measure the share of the loader in a training step, in CPU seconds of one crop.

    Args:
        context: folders and threads.
        cohort: number of phantoms and their spacing in mm; the first one takes the place of a CT.
        implants: number of patients that are drawn for it.
        crop: voxels of a crop; a step has two.
        visits: number of crops of a round.
        pairs: number of rounds.
    """
    cases, spacing = cohort
    folder = write_phantoms(context, cases=cases, spacing=spacing)
    bundle, cache = str(context.bundle), str(context.output / "data" / "cache")
    step = {"bundle": bundle, "kind": "lidia", "scale": "compact", "dataset": str(folder), "cache": cache}
    compose = {"bundle": bundle, "backgrounds": str(write_background(folder)), "cache": cache}
    sides = {
        "crops": Side(
            prepare_composition, {**compose, "implants": implants, "crop": list(crop), "visits": visits}, 1
        ),
        "step": Side(prepare_step, {**step, "crop": list(crop), "sam": False, "bf16": True}, 1),
    }
    trials = run_rounds(context, "compose", sides, pairs=pairs)
    ratios = compute_ratios(trials["crops"], trials["step"], "cpu")
    size = "x".join(map(str, crop))
    return {
        "compose": make_row(
            [ratio * 2 / visits for ratio in ratios],
            what=f"a crop of {size} with lesions, composed from a background, one thread",
            against="a training step, for each of its two crops",
            unit="CPU time",
            wanted=0.1,
            better="less",
            figures={
                "crop_s": compute_median(trials["crops"], "cpu") / visits,
                "step_s": compute_median(trials["step"], "cpu") / 2,
            },
        )
    }
