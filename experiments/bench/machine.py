"""Describe machine, versions and source of a run; also row `gpu`, absolute figures on a GPU."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from experiments.bench.benchmark_row import BenchmarkRow, make_row
from experiments.bench.forward import make_image
from experiments.bench.paired_timing import BenchContext, Side, run_rounds
from experiments.bench.peers import build_network

PACKAGES = (
    "torch",
    "monai",
    "numpy",
    "scipy",
    "nibabel",
    "connected-components-3d",
    "onnxruntime",
    "panoptica",
)


def describe_machine() -> dict[str, Any]:
    """Return processor, cores, memory, system and versions; a package that is not installed is left out."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "processor": _read_processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(aliased=True, terse=True),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "simd": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        **versions,
    }


def _read_processor() -> str:
    path = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in path.read_text().splitlines() if "model name" in line]
        if (path.exists())
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


def hash_source(bundle: Path) -> str:
    """Hash all code, configs and weights that a figure may depend on."""
    files = [*bundle.glob("scripts/**/*.py"), *bundle.glob("configs/**/*"), bundle / "models/model.pt"]
    total = sha256()
    for path in sorted(path for path in files if path.is_file()):
        total.update(f"{path.relative_to(bundle)}\n".encode() + path.read_bytes())
    return total.hexdigest()[:16]


def prepare_gpu_pass(*, bundle: str, kind: str, size: Sequence[int]) -> Any:
    """Prepare a synchronised forward pass on the GPU."""
    network, image = build_network(bundle, kind).eval().cuda(), make_image(size).cuda()

    def run() -> dict[str, float]:
        with torch.no_grad():
            network(image)
        torch.cuda.synchronize()
        return {"mb": torch.cuda.max_memory_allocated() / 2**20}

    return run


def measure_gpu(context: BenchContext, *, size: Sequence[int], pairs: int) -> dict[str, BenchmarkRow]:
    """Measure a forward pass on a GPU, in absolute figures and against DynUNet."""
    what = f"forward pass, 1x4x{'x'.join(map(str, size))}, compact, on a GPU"
    description: dict[str, Any] = {
        "what": what,
        "against": "MONAI DynUNet of the same encoder",
        "unit": "time",
    }
    if not torch.cuda.is_available():
        return {"gpu": BenchmarkRow(ratio=None, note="no GPU here", better="less", **description)}
    options = {"bundle": str(context.bundle), "size": list(size)}
    sides = {kind: Side(prepare_gpu_pass, {**options, "kind": kind}) for kind in ("lidia", "dynunet")}
    times = run_rounds(context, "gpu", sides, pairs=pairs, warm=3)
    slower = [a.seconds / b.seconds for a, b in zip(times["lidia"], times["dynunet"], strict=True)]
    figures = {f"{kind}_s": min(trial.seconds for trial in trials) for kind, trials in times.items()}
    figures |= {f"{kind}_mb": trials[0].figures["mb"] for kind, trials in times.items()}
    return {"gpu": make_row(slower, better="less", figures=figures, **description)}
