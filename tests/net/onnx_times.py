"""CPU seconds of onnxruntime beside the eager network's: `python tests/net/onnx_times.py model.onnx`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

import onnxruntime
import torch

BUNDLE = Path(__file__).parents[2] / "lidia_bundle"
sys.path.insert(0, str(BUNDLE))

from monai.bundle import load  # noqa: E402

CASES = [((96, 96, 96), 4), ((144, 112, 80), 4), ((144, 112, 80), 1)]
RUNS = 7


def seconds(run: Callable[[], object]) -> float:
    start = process_time()
    run()
    return process_time() - start


def main(path: str) -> None:
    torch.set_num_threads(1)
    network = load("lidia_bundle", bundle_dir=str(BUNDLE.parent), workflow_type="inference").eval()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    for size, phases in CASES:
        image = torch.rand(1, 4, *size) * 2 - 1
        image[:, phases:] = torch.nan
        feed = {"image": image.numpy()}
        with torch.no_grad():
            times = [
                (seconds(lambda i=image: network(i)), seconds(lambda f=feed: session.run(None, f)))
                for _ in range(RUNS + 1)
            ][1:]  # the first run warms both up
        eager, onnx = (median(column) for column in zip(*times, strict=True))
        sys.stdout.write(f"{size} {phases} phases: eager {eager:.2f} s, onnxruntime {onnx:.2f} s\n")


main(sys.argv[1])
