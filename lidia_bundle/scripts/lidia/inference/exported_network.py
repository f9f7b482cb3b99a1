"""The network by another runtime than torch, for inference: one key of inference.json.

Its graph is drawn once for each set of weights, kept as an ONNX file that their digest names, and serves
every subset of phases and every size. A runtime is imported only when it is asked for.
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
"""What `pip install` has to bring to run a graph, by the name of the runtime."""
WRITERS = ("onnx==1.23.2", "onnxscript==0.7.2")
"""And to draw it, which a machine that is given the file does not need."""


class RuntimeMissing(ImportError):
    """A runtime was asked for that is not installed."""


def load_runtime(name: str, *, folder: str, precision: str = "fp32") -> Callable[[nn.Module], Network] | None:
    """What `WindowInferer` hands its network to before it runs it; None for torch itself.

    Args:
        name: `torch`, `onnx` (ONNX Runtime) or `openvino`, these two on the CPU.
        folder: where drawn graphs are kept.
        precision: `bf16` lets OpenVINO use bfloat16 on a CPU that has it; torch's own is `WindowInferer`'s.

    Raises:
        ValueError: there is no such runtime, or it does not offer the precision.
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
    """Gives a network's forward pass by another runtime, in as many threads as torch has.

    Args:
        name: of the runtime.
        folder: where drawn graphs are kept.
        bf16: lets OpenVINO use bfloat16.
    """

    def __init__(self, name: str, folder: str, *, bf16: bool = False) -> None:
        self.name, self.folder, self.bf16 = name, Path(folder), bf16
        self.key = ""
        self.call: Callable[[Any], Any] | None = None

    def __call__(self, network: nn.Module) -> Network:
        """The network's answers for images (B, 4, X, Y, Z) of its strides.

        In 99.9 % of voxels they are torch's within 1e-3 (ONNX Runtime) or 2e-3 (OpenVINO). In bfloat16
        the classes are the same in 99.9 % of voxels, probabilities within 0.05.

        Raises:
            RuntimeMissing: the runtime is not installed, or the graph has to be drawn and ONNX is not.
        """
        key = digest_network(network)
        if key != self.key:  # weights may change between two runs of one program
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

        def answer(image: Tensor) -> Tensor:
            found = call(image.detach().cpu().contiguous().numpy())
            return torch.from_numpy(found).to(image.device)

        return answer


def open_onnxruntime(library: Any, path: Path) -> Callable[[Any], Any]:
    """Opens a file in ONNX Runtime: array in, array out."""
    options = library.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    session = library.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda image: session.run(["pred"], {"image": image})[0]


def open_openvino(library: Any, path: Path, *, bf16: bool = False) -> Callable[[Any], Any]:
    """Opens a file in OpenVINO: array in, array out, in float32 unless bfloat16 is asked for and there."""
    half = bf16 and supports_bf16(torch.device("cpu"))
    options = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
    }
    compiled = get_openvino_core(library).compile_model(path, "CPU", options)
    return lambda image: compiled(image)[0].copy()


@cache
def get_openvino_core(library: Any) -> Any:
    """One core for the life of the process.

    Each sets a stack for signal handlers, and of two that end, the last puts back the stack of the first,
    which is gone: the next signal that Python hears of, such as a child's end, kills the process.
    """
    return library.Core()


def require_library(name: str, library: str) -> Any:
    """Imports what a runtime stands on.

    Raises:
        RuntimeMissing: it is not installed.
    """
    try:
        return importlib.import_module(library)
    except ImportError as problem:
        wanted = " ".join((RUNTIMES[name], *WRITERS))
        raise RuntimeMissing(
            f"--runtime {name} needs {library}, which is not installed: pip install {wanted}"
        ) from problem


def digest_network(network: nn.Module) -> str:
    """Names a network by its parts, as they print themselves, and its weights."""
    total = sha256(f"{torch.__version__} {network}".encode())
    for name, value in network.state_dict().items():
        total.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()[:24]


def export_graph(network: nn.Module, path: Path, name: str) -> None:
    """Writes a network as one ONNX file for every subset of phases, batch and size; a minute of a CPU.

    Args:
        network: LIDIA, in evaluation.
        path: of the file.
        name: of the runtime that asks for it.

    Raises:
        RuntimeMissing: ONNX is not installed.
    """
    for library in ("onnx", "onnxscript"):
        require_library(name, library)
    free = torch.export.Dim.DYNAMIC
    example = torch.linspace(-1.0, 1.0, 2 * 4 * 96 * 80 * 64).reshape(2, 4, 96, 80, 64)
    with write_atomically(path) as beside, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about packages that are not there
        torch.onnx.export(
            network.eval(),
            (example.to(next(network.parameters()).device),),
            beside,
            dynamic_shapes=({0: free, 2: free, 3: free, 4: free},),
            input_names=["image"],
            output_names=["pred"],
            external_data=False,
            verbose=False,
        )
