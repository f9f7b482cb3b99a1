"""Run inference with ONNX Runtime or OpenVINO instead of torch, selected by one key of inference.json.

The graph is exported once per set of weights to an ONNX file that is named by their hash; it serves every
subset of phases and every size. A runtime is imported only if it is selected.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scripts.lidia.atomic import write_atomically
from scripts.lidia.runtime.precision import supports_bf16

Network = Callable[..., Tensor]
RUNTIMES = {"onnx": "onnxruntime==1.32.0", "openvino": "openvino==2026.4.1"}
"""Package that runs a graph, by the name of the runtime."""
WRITERS = ("onnx==1.23.2", "onnxscript==0.7.2")
"""Packages that export a graph; not needed if the ONNX file exists."""


class RuntimeMissing(ImportError):
    """The selected runtime is not installed."""


def load_runtime(name: str, *, folder: str, precision: str = "fp32") -> Callable[[nn.Module], Network] | None:
    """Builds the function by which `WindowInferer` converts its network; None for torch.

    Args:
        name: `torch`, or on the CPU `onnx` (ONNX Runtime) or `openvino`.
        folder: folder of exported graphs.
        precision: with `bf16`, OpenVINO uses bfloat16 on a CPU that supports it.

    Raises:
        ValueError: the runtime is unknown, or does not support the precision.
    """
    if name not in ("torch", *RUNTIMES):
        raise ValueError(f"runtime is {name!r}; choose one of torch, {', '.join(RUNTIMES)}")
    if name == "torch":
        return None
    if precision == "fp16" or (precision == "bf16" and name == "onnx"):
        raise ValueError(
            f"--runtime {name} has no {precision}: choose --precision fp32, or bf16 with --runtime openvino"
        )
    return Graph(name, folder, bf16=precision == "bf16")


class Graph:
    """Converts a network to the forward pass of another runtime, with as many threads as torch uses.

    Args:
        name: name of the runtime.
        folder: folder of exported graphs.
        bf16: whether OpenVINO may use bfloat16.
    """

    def __init__(self, name: str, folder: str, *, bf16: bool = False) -> None:
        self.name, self.folder, self.bf16 = name, Path(folder), bf16
        self.key = ""
        self.call: Callable[[Any], Any] | None = None

    def __call__(self, network: nn.Module) -> Network:
        """Returns a function from images (B, 4, X, Y, Z), in multiples of the stride, to probabilities.

        In 99.9 % of voxels they equal those of torch within 1e-3 (ONNX Runtime) or 2e-3 (OpenVINO). In
        bfloat16 the classes are equal in 99.9 % of voxels, the probabilities within 0.05.

        Raises:
            RuntimeMissing: the runtime, or ONNX for a necessary export, is not installed.
        """
        key = digest_network(network)
        if key != self.key:  # weights may change between two runs of one process
            library = require_library(self.name, {"onnx": "onnxruntime"}.get(self.name, self.name))
            path = self.folder / f"{key}.onnx"
            if not path.is_file():
                export_graph(network, path, self.name)
            if self.name == "openvino":
                self.call = open_openvino(library, path, bf16=self.bf16)
            else:
                self.call = open_onnxruntime(library, path)
            self.key = key
        call: Any = self.call

        def predict(image: Tensor) -> Tensor:
            output = call(image.detach().cpu().contiguous().numpy())
            return torch.from_numpy(output).to(image.device)

        return predict


def open_onnxruntime(library: Any, path: Path) -> Callable[[Any], Any]:
    """Opens a graph in ONNX Runtime; returns a function from array to array."""
    options = library.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    session = library.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda image: session.run(["pred"], {"image": image})[0]


def open_openvino(library: Any, path: Path, *, bf16: bool = False) -> Callable[[Any], Any]:
    """Opens a graph in OpenVINO; returns a function from array to array, in bfloat16 if supported."""
    use_bf16 = bf16 and supports_bf16(torch.device("cpu"))
    options = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "bf16" if use_bf16 else "f32",
    }
    compiled = get_openvino_core(library).compile_model(path, "CPU", options)
    return lambda image: compiled(image)[0].copy()


@cache
def get_openvino_core(library: Any) -> Any:
    """Returns the single OpenVINO core of the process.

    Each core sets a stack for signal handlers. When two cores are destroyed, the last one restores the stack
    of the first, which no longer exists: the next signal that Python handles, such as the end of a child
    process, kills the process.
    """
    return library.Core()


def require_library(name: str, library: str) -> Any:
    """Imports a library of a runtime.

    Raises:
        RuntimeMissing: the library is not installed.
    """
    try:
        return importlib.import_module(library)
    except ImportError as problem:
        packages = " ".join((RUNTIMES[name], *WRITERS))
        raise RuntimeMissing(
            f"--runtime {name} needs {library}, which is not installed: pip install {packages}"
        ) from problem


def digest_network(network: nn.Module) -> str:
    """Computes a hash of a network's `repr` and weights, the name of its graph."""
    total = sha256(f"{torch.__version__} {network}".encode())
    for name, value in network.state_dict().items():
        total.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()[:24]


def export_graph(network: nn.Module, path: Path, name: str) -> None:
    """Exports a network to an ONNX file for every subset of phases, batch and size; takes about a minute.

    Args:
        network: LIDIA; it is set to evaluation mode.
        path: ONNX file.
        name: name of the runtime, for the error message.

    Raises:
        RuntimeMissing: ONNX is not installed.
    """
    for library in ("onnx", "onnxscript"):
        require_library(name, library)
    dynamic = torch.export.Dim.DYNAMIC
    example = torch.linspace(-1.0, 1.0, 2 * 4 * 96 * 80 * 64).reshape(2, 4, 96, 80, 64)
    with write_atomically(path) as temporary, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about optional packages
        torch.onnx.export(
            network.eval(),
            (example.to(next(network.parameters()).device),),
            temporary,
            dynamic_shapes=({0: dynamic, 2: dynamic, 3: dynamic, 4: dynamic},),
            input_names=["image"],
            output_names=["pred"],
            external_data=False,
            verbose=False,
        )
