"""Measure row `runtime`: the network's windows of a patient by OpenVINO and ONNX Runtime, against torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from experiments.bench.bench_cohorts import write_clinical_patient
from experiments.bench.benchmark_row import BenchmarkRow, make_row
from experiments.bench.paired_timing import BenchContext, Side, compute_median, compute_ratios, run_rounds
from experiments.bench.patient_timing import create_inference_workflow
from experiments.bench.peers import build_network


class RuntimeChoice(NamedTuple):
    """A runtime of the network and its row."""

    key: str
    """Key of the row."""
    options: dict[str, Any]
    """Options of inference.json."""
    parts: tuple[str, ...] = ()
    """Required packages."""
    wanted: float | None = None
    """Target ratio; None without a claim."""


EXPORT_PACKAGES = ("onnx", "onnxscript")
RUNTIMES = {
    "torch": RuntimeChoice("", {"runtime": "torch"}),
    "openvino": RuntimeChoice("runtime", {"runtime": "openvino"}, ("openvino", *EXPORT_PACKAGES), 1.5),
    "openvino_bf16": RuntimeChoice(
        "runtime_bf16", {"runtime": "openvino", "precision": "bf16"}, ("openvino", *EXPORT_PACKAGES)
    ),
    "onnx": RuntimeChoice("runtime_onnx", {"runtime": "onnx"}, ("onnxruntime", *EXPORT_PACKAGES)),
}


def prepare_inference(*, bundle: str, phases: Mapping[str, str], output: str, name: str) -> Callable[[], Any]:
    """Prepare the inferer of inference.json on a patient's image; its output is saved for comparison."""
    folder = Path(output)
    options = {**RUNTIMES[name].options, "runtime_dir": str(folder / "onnx")}
    flow = create_inference_workflow(bundle, output, **options, **phases)
    image = flow.parser.get_parsed_content("dataset")[0]["image"].as_tensor()[None]
    network, inferer = build_network(bundle, "lidia").eval(), flow.parser.get_parsed_content("inferer")
    with torch.no_grad():
        np.save(folder / f"{name}.npy", inferer(image, network)[0].numpy())

    def run() -> None:
        with torch.no_grad():
            inferer(image, network)

    return run


def measure_runtimes(
    context: BenchContext, *, spacing: Sequence[float], fov: Sequence[float], looks: Sequence[str], pairs: int
) -> dict[str, BenchmarkRow]:
    """Measure all windows of a patient by each runtime, and the differences of the outputs."""
    missing = {
        name: [part for part in choice.parts if importlib.util.find_spec(part) is None]
        for name, choice in RUNTIMES.items()
        if choice.parts
    }
    folder = context.output / "data" / "runtime"
    folder.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"bundle": str(context.bundle), "output": str(folder)}
    present = [name for name, parts in missing.items() if not parts]
    times = {}
    if present:
        options["phases"] = write_clinical_patient(context, spacing=spacing, fov=fov, looks=looks).phases
        sides = {name: Side(prepare_inference, {**options, "name": name}) for name in ("torch", *present)}
        times = run_rounds(context, "runtime", sides, pairs=pairs)
    rows: dict[str, BenchmarkRow] = {}
    for name, parts in missing.items():
        key, settings, _, claim = RUNTIMES[name]
        arguments = " ".join(f"--{option} {value}" for option, value in settings.items())
        description: dict[str, Any] = {
            "what": f"all windows of a patient, {arguments}",
            "against": "torch, eager",
        }
        if parts:
            note = f"{', '.join(parts)} not installed"
            rows[key] = BenchmarkRow(ratio=None, unit="speed", wanted=claim, note=note, **description)
            continue
        mine, theirs = (np.load(folder / f"{side}.npy", mmap_mode="r") for side in (name, "torch"))
        same = float((mine.argmax(axis=0) == theirs.argmax(axis=0)).mean())
        differences = np.abs(mine - theirs).max(axis=0)
        figures = {f"{side}_s": compute_median(times[side]) for side in ("torch", name)}
        faster = compute_ratios(times["torch"], times[name])
        rows[key] = make_row(faster, unit="speed", wanted=claim, figures=figures, **description)
        rows[f"{key}_labels"] = BenchmarkRow(
            ratio=same, unit="voxels of equal class", wanted=0.999, **description
        )
        if "precision" in settings:
            unit = "largest difference of a probability"
            rows[f"{key}_probabilities"] = BenchmarkRow(
                ratio=float(differences.max()), unit=unit, wanted=None, **description
            )
        else:
            close, unit = float((differences < 1e-3).mean()), "voxels within 1e-3"
            rows[f"{key}_probabilities"] = BenchmarkRow(ratio=close, unit=unit, wanted=0.999, **description)
    return rows
