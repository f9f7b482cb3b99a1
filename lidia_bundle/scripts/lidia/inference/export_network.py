"""Exports the network of an inference config with its weights to one file: TorchScript or ONNX."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import torch
from monai.data import save_net_with_metadata

from scripts.lidia.atomic import write_atomically
from scripts.lidia.inference.exported_network import export_graph
from scripts.lidia.inference.liver_segmenter import BUNDLE, read_inference_config
from scripts.lidia.runtime.weights import list_weight_files, load_weights

logger = logging.getLogger(__name__)

FORMATS = {".ts": "TorchScript", ".onnx": "ONNX"}
"""Format by the extension of the file."""


class ExportError(ValueError):
    """A network that cannot be exported as requested."""


def export_network(
    *, output: str, inference_config: str | Sequence[str], model_file: str | Sequence[str] | None = None
) -> Path:
    """Exports the network with its weights.

    Args:
        output: file to write; its extension selects the format, `.ts` (TorchScript) or `.onnx` (which needs
            the packages onnx and onnxscript for the export).
        inference_config: `inference.json` and the overlays of its network.
        model_file: weights; None takes those of `inference_config`.

    Returns:
        Absolute path of the file.

    Raises:
        ExportError: the extension is neither, or the weights are those of an ensemble.
        WeightsError: the weights cannot be read or do not fit the network.
    """
    path = Path(output).absolute()
    if path.suffix not in FORMATS:
        listed = " or ".join(f"{ending} ({name})" for ending, name in FORMATS.items())
        raise ExportError(f"--output {output}: the extension selects the format; give a file with {listed}")
    parser = read_inference_config(inference_config, model_file)
    files = list_weight_files(parser.get_parsed_content("model_file"))
    if len(files) > 1:
        raise ExportError(
            f"--model_file names {len(files)} files: an ensemble cannot be exported, give one file"
        )
    network = parser.get_parsed_content("network_def").cpu().eval()
    load_weights(network, files[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".onnx":
        export_graph(network, path, "onnx")
    else:
        _write_torchscript(network, path)
    logger.info(f"{path}: {FORMATS[path.suffix]}, {path.stat().st_size / 1e6:.1f} MB, weights {files[0]}")
    return path


def _write_torchscript(network: torch.nn.Module, path: Path) -> None:
    """Writes TorchScript with the metadata of the bundle, as MONAI's `ckpt_export` does."""
    metadata = json.loads((BUNDLE / "configs/metadata.json").read_text(encoding="utf-8"))
    stream = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript itself
        script = torch.jit.script(network)
        save_net_with_metadata(script, stream, meta_values=metadata)
    with write_atomically(path) as temporary:
        temporary.write_bytes(stream.getvalue())
