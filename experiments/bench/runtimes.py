"""Row `runtime`: the network's part of a patient by OpenVINO and ONNX Runtime, against torch."""

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
    """A way to run the network, by its place in the page."""

    key: str
    """Of the row."""
    options: dict[str, Any]
    """Of inference.json."""
    parts: tuple[str, ...] = ()
    """Packages that it needs."""
    wanted: float | None = None
    """Ratio of the claim."""


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
    """The inferer of inference.json on a patient's image, which it keeps for comparison."""
    folder = Path(output)
    options = {**RUNTIMES[name].options, "runtime_dir": str(folder / "onnx")}
    flow = create_inference_workflow(bundle, output, **options, **phases)
    image = flow.parser.get_parsed_content("dataset")[0]["image"].as_tensor()[None]
    network, inferer = build_network(bundle, "lidia").eval(), flow.parser.get_parsed_content("inferer")
    with torch.no_grad():
        np.save(folder / f"{name}.npy", inferer(image, network)[0].numpy())

    def go() -> None:
        with torch.no_grad():
            inferer(image, network)

    return go


def measure_runtimes(
    place: BenchContext, *, spacing: Sequence[float], fov: Sequence[float], looks: Sequence[str], pairs: int
) -> dict[str, BenchmarkRow]:
    """The network's whole part of a patient by each runtime, and how far its answers are apart."""
    lost = {
        name: [part for part in way.parts if importlib.util.find_spec(part) is None]
        for name, way in RUNTIMES.items()
        if way.parts
    }
    folder = place.output / "data" / "runtime"
    folder.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"bundle": str(place.bundle), "output": str(folder)}
    present = [name for name, parts in lost.items() if not parts]
    times = {}
    if present:
        options["phases"] = write_clinical_patient(place, spacing=spacing, fov=fov, looks=looks).phases
        sides = {name: Side(prepare_inference, {**options, "name": name}) for name in ("torch", *present)}
        times = run_rounds(place, "runtime", sides, pairs=pairs)
    found: dict[str, BenchmarkRow] = {}
    for name, parts in lost.items():
        key, said, _, wanted = RUNTIMES[name]
        words = " ".join(f"--{option} {value}" for option, value in said.items())
        about: dict[str, Any] = {"what": f"all windows of a patient, {words}", "against": "torch, eager"}
        if parts:
            note = f"{', '.join(parts)} not installed"
            found[key] = BenchmarkRow(ratio=None, unit="speed", wanted=wanted, note=note, **about)
            continue
        mine, theirs = (np.load(folder / f"{one}.npy", mmap_mode="r") for one in (name, "torch"))
        same = float((mine.argmax(axis=0) == theirs.argmax(axis=0)).mean())
        apart = np.abs(mine - theirs).max(axis=0)
        figures = {f"{one}_s": compute_median(times[one]) for one in ("torch", name)}
        faster = compute_ratios(times["torch"], times[name])
        found[key] = make_row(faster, unit="speed", wanted=wanted, figures=figures, **about)
        found[f"{key}_labels"] = BenchmarkRow(ratio=same, unit="voxels of equal class", wanted=0.999, **about)
        if "precision" in said:
            unit = "largest difference of a probability"
            found[f"{key}_probabilities"] = BenchmarkRow(
                ratio=float(apart.max()), unit=unit, wanted=None, **about
            )
        else:
            close, unit = float((apart < 1e-3).mean()), "voxels within 1e-3"
            found[f"{key}_probabilities"] = BenchmarkRow(ratio=close, unit=unit, wanted=0.999, **about)
    return found
