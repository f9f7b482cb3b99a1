"""Measure rows `patient` and `cohort`: NIfTI files to result files, against MONAI's stock pipeline."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.bundle import ConfigParser, create_workflow
from monai.inferers import SlidingWindowInferer
from monai.transforms import (
    AsDiscreted,
    Compose,
    ConcatItemsd,
    EnsureChannelFirstd,
    GaussianSmoothd,
    Invertd,
    LoadImaged,
    Orientationd,
    ResampleToMatchd,
    SaveImaged,
    ScaleIntensityRanged,
    Spacingd,
)

from experiments.bench.bench_cohorts import write_clinical_patient, write_phantoms
from experiments.bench.benchmark_row import BenchmarkRow, make_row
from experiments.bench.paired_timing import (
    BenchContext,
    BenchError,
    Side,
    compute_median,
    compute_ratios,
    run_rounds,
    summarise_spread,
)
from experiments.bench.peers import build_network, predict_background
from scripts.lidia.inference.result_files import result_files
from scripts.lidia.vocabulary import FIRST_LESION, PHASES

Go = Callable[[], Any]


def read_inference_config(bundle: str | Path) -> dict[str, Any]:
    """Read the values of inference.json."""
    return ConfigParser.load_config_file(str(Path(bundle) / "configs/inference.json"))


def create_inference_workflow(bundle: str, output: str, **options: Any) -> Any:
    """Create the initialised workflow of inference.json, without pages."""
    flow = create_workflow(
        config_file=str(Path(bundle) / "configs/inference.json"),
        workflow_type="infer",
        logging_file=False,
        output_dir=output,
        pages=False,
        **options,
    )
    flow.initialize()
    return flow


def prepare_lidia(*, bundle: str, phases: Mapping[str, str], output: str, **options: Any) -> Go:
    """Prepare inference.json on one patient."""
    return create_inference_workflow(bundle, output, case_id="patient", **phases, **options).run


def prepare_monai(*, bundle: str, network: str, phases: Mapping[str, str], output: str, native: float) -> Go:
    """Prepare MONAI's own transforms and inferer with the same numbers; it writes the class map only.

    `Spacingd` alone would sample the noise of single voxels. GaussianSmooth is therefore applied first where
    the network's grid is coarser, by the same rule as LIDIA's.
    """
    config = read_inference_config(bundle)
    spacing, roi = config["spacing"], config["roi_size"]
    model = build_network(bundle, network).eval()
    if network != "lidia":
        predict_background(model)
    sigma = [max((step / native - 1) / 2, 0.0) if axis < 2 else 0.0 for axis, step in enumerate(spacing)]
    names = list(PHASES)
    others = [phase for phase in names if phase != "venous"]
    preprocessing = Compose([
        LoadImaged(names, reader="NibabelReader"),
        EnsureChannelFirstd(names),
        Orientationd(names, axcodes="RAS", labels=None),
        GaussianSmoothd(names, sigma=sigma),
        Spacingd("venous", pixdim=spacing, mode="bilinear", padding_mode="border"),
        ResampleToMatchd(others, "venous", mode="bilinear", padding_mode="border"),
        ScaleIntensityRanged(names, *config["window"], -1.0, 1.0, clip=True),
        ConcatItemsd(names, "image"),
    ])
    postprocessing = Compose([
        Invertd("pred", preprocessing, orig_keys="venous", nearest_interp=False, to_tensor=True),
        AsDiscreted("pred", argmax=True),
        SaveImaged(
            "pred",
            output_dir=output,
            output_postfix="classes",
            output_dtype=np.uint8,
            separate_folder=False,
            resample=False,
            print_log=False,
        ),
    ])
    inferer = SlidingWindowInferer(roi, overlap=config["overlap"], mode="gaussian", cval=-1.0)

    def run() -> None:
        item: Any = preprocessing(dict(phases))
        with torch.no_grad():
            pred = inferer(item["image"][None], model)
        item["pred"] = pred[0]
        postprocessing(item)

    return run


def compute_lesion_dice(path: str | Path, other_path: str | Path) -> float:
    """Compute the Dice of all lesions as one class between two class maps on one grid."""
    first = np.asarray(nib.load(path).dataobj) >= FIRST_LESION
    second = np.asarray(nib.load(other_path).dataobj) >= FIRST_LESION
    return float(2 * (first & second).sum() / max(first.sum() + second.sum(), 1))


def measure_patient(
    context: BenchContext, *, spacing: Sequence[float], fov: Sequence[float], looks: Sequence[str], pairs: int
) -> dict[str, BenchmarkRow]:
    """Measure one patient end to end: LIDIA, the same network and DynUNet in MONAI's stock pipeline."""
    phases, truth = write_clinical_patient(context, spacing=spacing, fov=fov, looks=looks)
    folders = {
        name: str(context.output / "data" / "results" / name) for name in ("lidia", "stock", "dynunet")
    }
    options = {"bundle": str(context.bundle), "phases": phases, "native": spacing[0]}
    stock = Side(prepare_monai, {**options, "network": "lidia", "output": folders["stock"]})
    sides = {
        "lidia": Side(
            prepare_lidia,
            {k: v for k, v in options.items() if k != "native"} | {"output": folders["lidia"]},
        ),
        "stock": stock,
        "dynunet": Side(stock.call, {**stock.options, "network": "stock", "output": folders["dynunet"]}),
    }
    times = run_rounds(context, "patient", sides, pairs=pairs, warm=0)
    classes = next(Path(folders["stock"]).glob("*_classes.nii.gz"))
    lesions = result_files(folders["lidia"], "patient")["lesions"]
    to_truth = {
        "lidia_dice": compute_lesion_dice(lesions, truth),
        "stock_dice": compute_lesion_dice(classes, truth),
    }
    shape = "x".join(str(size) for size in nib.load(phases["venous"]).shape)
    what = f"a patient end to end, four phases {shape}"
    figures = {f"{name}_s": compute_median(trials) for name, trials in times.items()}
    memory = {f"{name}_mb": compute_median(trials, "peak_mb") for name, trials in times.items()}
    monai = "MONAI's stock pipeline on the same network"
    peer = "MONAI DynUNet of equal width by its stock pipeline"
    rows = {
        "patient_dice": BenchmarkRow(
            what=what,
            against=monai,
            unit="Dice of lesions",
            ratio=compute_lesion_dice(lesions, classes),
            wanted=0.99,
            better="more",
            figures=to_truth,
            note="figures: Dice of each side with the truth",
        )
    }
    for name, label, faster in (("stock", monai, 5.0), ("dynunet", peer, 3.0)):
        key = "patient" if name == "stock" else "patient_dynunet"
        rows[key] = make_row(
            compute_ratios(times[name], times["lidia"]),
            what=what,
            against=label,
            unit="speed",
            wanted=faster,
            figures=figures,
        )
        rows[f"{key}_memory"] = make_row(
            compute_ratios(times["lidia"], times[name], "peak_mb"),
            what=what,
            against=label,
            unit="peak memory",
            wanted=0.5 if name == "stock" else None,
            better="less",
            figures=memory,
        )
    return rows


def time_cohort(
    context: BenchContext, folder: Path, output: Path, *, processes: int, threads: int, readers: int
) -> float:
    """Measure the seconds of the command of inference.json on a cohort.

    Args:
        context: folders and threads.
        folder: of the cohort.
        output: for the results.
        processes: of torchrun, which divide the patients; 1 runs a plain command.
        threads: of each process.
        readers: worker processes of the data loader.

    Raises:
        BenchError: the command failed.
    """
    config = context.bundle / "configs"
    files = [str(config / "inference.json")]
    command = [sys.executable, "-m"]
    if processes > 1:
        command += ["torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", "-m"]
        files.append(str(config / "multi_gpu_evaluate.json"))
    command += ["monai.bundle", "run", "evaluating", "--config_file", str(files), "--section", "training"]
    command += ["--dataset_dir", str(folder), "--output_dir", str(output), "--pages", "False"]
    command += ["--num_workers", str(readers)]
    log = context.output / "logs" / f"cohort_{processes}_{readers}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.run(
            command,
            stdout=file,
            stderr=file,
            env=context.environment(threads),
            check=False,
            cwd=context.output,
        )
    if process.returncode:
        raise BenchError(f"cohort failed with {processes} processes and {readers} readers: {log}")
    return time.perf_counter() - start


def measure_cohort(
    context: BenchContext, *, cases: int, spacing: Sequence[float] | None, processes: int, pairs: int
) -> dict[str, BenchmarkRow]:
    """Measure a cohort with several processes, and with a reader, against one process with all threads."""
    folder = write_phantoms(context, cases=cases, spacing=spacing)
    output = context.output / "data" / "results"
    thread_share = max(context.threads // processes, 1)
    settings = {
        "one": {"processes": 1, "threads": context.threads, "readers": 0},
        "together": {"processes": processes, "threads": thread_share, "readers": 0},
        "reader": {"processes": 1, "threads": thread_share, "readers": 1},
    }
    times: dict[str, list[float]] = {name: [] for name in settings}
    for _ in range(pairs):
        for name, options in settings.items():
            times[name].append(time_cohort(context, folder, output / f"cohort_{name}", **options))
    description: dict[str, Any] = {
        "against": f"one process of {context.threads} thread(s), one patient at a time",
        "unit": "throughput",
        "figures": {f"{name}_s": summarise_spread(seconds)[0] for name, seconds in times.items()},
    }
    share = f"{processes} processes, threads shared"
    reader = f"one process of {thread_share} thread(s), another reads ahead"
    return {
        key: make_row(
            [
                single_seconds / other_seconds
                for single_seconds, other_seconds in zip(times["one"], times[name], strict=True)
            ],
            what=f"a cohort of {cases}, {label}",
            wanted=claim,
            **description,
        )
        for key, name, label, claim in (
            ("cohort", "together", share, 1.6),
            ("cohort_reader", "reader", reader, None),
        )
    }
