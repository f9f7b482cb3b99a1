"""Measure rows `lesion_metrics` and `writing`: lesion matching, LiverMax and result files of a large CT."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.metrics.panoptic_quality import compute_panoptic_quality
from monai.transforms import SaveImage
from numpy.typing import NDArray
from scipy import ndimage

from experiments.bench.benchmark_row import BenchmarkRow, make_row
from experiments.bench.paired_timing import BenchContext, Side, compute_median, compute_ratios, run_rounds
from scripts.lidia.inference.result_files import write_volume
from scripts.lidia.metrics.lesion_matching import find_lesions
from scripts.lidia.metrics.one_to_one_matching import match_one_to_one
from scripts.lidia.postprocess.livermax import compute_livermax
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION, LESION_CLASSES

AFFINE = np.diag([0.8, 0.8, 1.5, 1.0])
SPACING = (0.8, 0.8, 1.5)
LIVER = np.array([(0.63, 0.256), (0.55, 0.195), (0.65, 0.25)])
"""Centre and half axis of an ellipsoid in the right upper body, as shares of the scan: 210 x 160 x 150 mm of
410 x 410 x 300 mm."""
IOU = 0.5
"""Least IoU of a match; MONAI's and panoptica's default."""
Go = Callable[[], Any]


def make_liver(shape: Sequence[int]) -> NDArray[np.bool_]:
    """Make the mask (X, Y, Z) of the ellipsoid."""
    grid = np.ogrid[tuple(slice(0, size) for size in shape)]
    parts = zip(grid, shape, LIVER, strict=True)
    return np.asarray(sum(((at / size - centre) / half) ** 2 for at, size, (centre, half) in parts) <= 1)


def make_lesions(shape: Sequence[int], count: int, shift: int = 0) -> NDArray[np.uint8]:
    """Make a class map (X, Y, Z) of lesions in the liver that do not touch; `shift` moves them by voxels."""
    scan = np.multiply(shape, SPACING)
    across, inside = 0, np.empty((0, 3))
    while len(inside) < count:  # a lattice as fine as it takes, over the ellipsoid from -1 to 1
        across += 1
        lattice = (np.indices((across,) * 3).reshape(3, -1).T + 0.5) / across * 2 - 1
        inside = lattice[(lattice**2).sum(axis=1) <= 1]
    radius = 0.35 * (2 * LIVER[:, 1] * scan / across).min()
    volume = np.zeros(shape, np.uint8)
    for number, place in enumerate(inside[np.linspace(0, len(inside) - 1, count).astype(int)]):
        centre = (LIVER[:, 0] + place * LIVER[:, 1]) * scan
        centre[0] += shift * (number % 3 - 1) * SPACING[0]
        ends = zip(centre - radius, centre + radius, SPACING, strict=True)
        box = tuple(slice(int(low / step), int(high / step) + 2) for low, high, step in ends)
        at = zip(np.ogrid[box], SPACING, centre, strict=True)
        ball = sum((axis * step - middle) ** 2 for axis, step, middle in at) <= radius**2
        volume[box][ball] = FIRST_LESION + number % len(LESION_CLASSES)
    return volume


def make_truth_and_prediction(
    shape: Sequence[int], count: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Make a truth, and a prediction that misses the first lesion and shifts others."""
    truth, prediction = (
        make_lesions(shape, count),
        make_lesions(shape, count, shift=max(min(shape) // 100, 1)),
    )
    first = ndimage.label(prediction > 0)[0] == 1
    prediction[first & (count > 1)] = 0
    return truth, prediction


def prepare_matching(*, who: str, shape: Sequence[int], lesions: int) -> Go:
    """Prepare the count of true positives, false positives and misses of one patient by one library."""
    truth, prediction = make_truth_and_prediction(shape, lesions)
    around = np.ones((3, 3, 3))

    def match_by_lidia() -> tuple[float, ...]:
        return match_one_to_one(find_lesions(prediction, SPACING), find_lesions(truth, SPACING), iou=IOU)

    def match_by_monai() -> tuple[float, ...]:
        parts = [
            torch.from_numpy(ndimage.label(mask > 0, structure=around)[0]) for mask in (prediction, truth)
        ]
        return tuple(compute_panoptic_quality(*parts, output_confusion_matrix=True).tolist()[:3])

    def match_by_panoptica() -> tuple[float, ...]:
        library = importlib.import_module("panoptica")
        evaluator = library.Panoptica_Evaluator(
            expected_input=library.InputType.SEMANTIC,
            instance_approximator=library.ConnectedComponentsInstanceApproximator(),
            instance_matcher=library.NaiveThresholdMatching(matching_threshold=IOU),
            instance_metrics=[library.Metric.IOU],
            global_metrics=[],
        )
        result = evaluator.evaluate((prediction > 0).astype(np.uint8), (truth > 0).astype(np.uint8))[
            "ungrouped"
        ]
        return result.tp, result.fp, result.fn

    call = {"lidia": match_by_lidia, "monai": match_by_monai, "panoptica": match_by_panoptica}[who]
    return lambda: dict(zip(("tp", "fp", "fn"), map(float, call()), strict=True))


def measure_lesion_metrics(
    context: BenchContext, *, shape: Sequence[int], lesions: int, pairs: int
) -> dict[str, BenchmarkRow]:
    """Measure lesion matching against MONAI's panoptic quality and, if installed, panoptica."""
    has_panoptica = importlib.util.find_spec("panoptica") is not None
    sides = {
        who: Side(prepare_matching, {"who": who, "shape": list(shape), "lesions": lesions})
        for who in ("lidia", "monai", *(["panoptica"] if has_panoptica else []))
    }
    times = run_rounds(context, "lesion_metrics", sides, pairs=pairs, warm=0)
    what = f"matching {lesions} lesions in a liver, {'x'.join(map(str, shape))}"
    labels = {"monai": "MONAI compute_panoptic_quality on scipy's components", "panoptica": "panoptica"}
    rows = {}
    for who, label in labels.items():
        key = "lesion_metrics" if who == "monai" else f"lesion_metrics_{who}"
        description: dict[str, Any] = {"what": what, "against": label, "unit": "speed", "wanted": 10.0}
        if who not in times:
            rows[key] = BenchmarkRow(ratio=None, note=f"{who} is not installed", **description)
            continue
        mine, theirs = times["lidia"][0].figures, times[who][0].figures
        note = "same numbers" if mine == theirs else f"other numbers: {mine} and {theirs}"
        rows[key] = make_row(
            compute_ratios(times[who], times["lidia"]),
            figures={
                "lidia_s": compute_median(times["lidia"]),
                f"{who}_s": compute_median(times[who]),
                **mine,
            },
            note=note,
            **description,
        )
    return rows


def prepare_writing(*, who: str, shape: Sequence[int], output: str) -> Go:
    """Prepare LiverMax and the writing of three volumes of a patient, by LIDIA or by scipy and SaveImage."""
    folder = Path(output)
    generator = np.random.default_rng(0)
    maps = generator.random((len(CLASSES), *shape), np.float32)
    maps /= maps.sum(axis=0)
    lesions, liver = make_lesions(shape, 8), make_liver(shape)
    instances = ndimage.label(lesions > 0)[0].astype(np.uint16)
    volumes = {"lesions": lesions, "instances": instances, "liver": liver.astype(np.uint8)}
    # As each side's inference has them: ours in the order of the file, the other's as torch's tensors
    ordered = {name: np.asfortranarray(volume) for name, volume in volumes.items()}
    tensors = {name: torch.from_numpy(volume.astype(np.int32))[None] for name, volume in volumes.items()}

    def write_by_lidia() -> list[float]:
        scores = compute_livermax(maps, liver, groups={})
        for name, volume in ordered.items():
            write_volume(folder / f"lidia_{name}.nii.gz", volume, AFFINE)
        return list(scores.values())

    def write_by_monai() -> list[float]:
        scores = [float(ndimage.maximum(maps[number], liver, 1)) for number in LESION_CLASSES]
        for name, volume in volumes.items():
            save = SaveImage(
                folder,
                output_postfix=name,
                output_dtype=volume.dtype,
                separate_folder=False,
                print_log=False,
                resample=False,
            )
            meta = {"filename_or_obj": "stock.nii.gz", "affine": torch.from_numpy(AFFINE)}
            save(MetaTensor(tensors[name], meta=meta))
        return scores

    call = write_by_lidia if who == "lidia" else write_by_monai
    return lambda: {
        "highest": max(call()),
        "bytes": float(sum(f.stat().st_size for f in folder.glob("*.gz"))),
    }


def measure_writing(context: BenchContext, *, shape: Sequence[int], pairs: int) -> dict[str, BenchmarkRow]:
    """Measure patient scores and result files of a large CT."""
    folders = {who: context.output / "data" / "written" / who for who in ("lidia", "stock")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    sides = {
        who: Side(prepare_writing, {"who": who, "shape": list(shape), "output": str(folder)})
        for who, folder in folders.items()
    }
    times = run_rounds(context, "writing", sides, pairs=pairs)
    mine, theirs = times["lidia"][0].figures, times["stock"][0].figures
    same = abs(mine["highest"] - theirs["highest"]) < 1e-6
    return {
        "writing": make_row(
            compute_ratios(times["stock"], times["lidia"]),
            what=f"LiverMax and result volumes, {'x'.join(map(str, shape))}, {len(CLASSES)} classes",
            against="scipy.ndimage.maximum and MONAI SaveImage",
            unit="speed",
            wanted=5.0,
            figures={f"{who}_s": compute_median(trials) for who, trials in times.items()}
            | {"lidia_mb": mine["bytes"] / 2**20, "stock_mb": theirs["bytes"] / 2**20},
            note="same scores" if same else "scores differ",
        )
    }
