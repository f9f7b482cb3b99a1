"""Run the bundle's inference on one scan as a user does: by its config, with given weights."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from monai.bundle import create_workflow
from numpy.typing import NDArray

from experiments.real_ct.scans import Scan
from scripts.lidia.inference.result_files import result_files


class Result(NamedTuple):
    """What inference wrote for a scan."""

    record: dict[str, Any]
    """Content of `ID.json`."""
    classes: NDArray[np.uint8]
    """`(X, Y, Z)` classes of the lesions, 0 elsewhere."""
    instances: NDArray[np.uint16]
    """`(X, Y, Z)` numbers of the lesions, 0 elsewhere."""
    liver: NDArray[np.bool_]
    """`(X, Y, Z)` liver, lesions included."""
    affine: NDArray[np.float64]
    """`(4, 4)` from voxel indices to RAS mm."""
    spacing: tuple[float, ...]
    """mm per voxel along X, Y, Z."""
    seconds: float
    """Wall time of the patient from reading to writing, without building the network."""
    cpu_seconds: float
    """CPU time of the same, over all threads."""


def run_inference(
    scan: Scan,
    *,
    weights: str,
    output_dir: str | Path,
    bundle_root: str,
    overlays: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Result:
    """Run `inference.json` on the phases of a scan, without its liver mask.

    Args:
        scan: the scan.
        weights: file of weights.
        output_dir: folder of the results.
        bundle_root: folder of the bundle.
        overlays: configs over `inference.json`, for example of another network.
        options: further config values by key.

    Raises:
        CaseError: the scan could not be read or processed.
    """
    configs = Path(bundle_root) / "configs"
    workflow = create_workflow(
        config_file=[str(configs / "inference.json"), *overlays],
        workflow_type="infer",
        meta_file=str(configs / "metadata.json"),
        logging_file=False,
        model_file=weights,
        case_id=scan.id,
        output_dir=str(output_dir),
        pages=False,
        dicom=False,
        **scan.phases,
        **(options or {}),
    )
    workflow.initialize()
    start = time.perf_counter(), time.process_time()
    workflow.run()
    seconds, cpu_seconds = time.perf_counter() - start[0], time.process_time() - start[1]
    workflow.finalize()
    return read_result(output_dir, scan.id, seconds, cpu_seconds)


def read_result(output_dir: str | Path, case: str, seconds: float, cpu_seconds: float) -> Result:
    """Read the files that inference wrote for a scan."""
    files = result_files(output_dir, case)
    lesions = nib.load(files["lesions"])
    return Result(
        json.loads(files["result"].read_text(encoding="utf-8")),
        np.asarray(lesions.dataobj).astype(np.uint8),
        np.asarray(nib.load(files["instances"]).dataobj).astype(np.uint16),
        np.asarray(nib.load(files["liver"]).dataobj) > 0,
        np.asarray(lesions.affine, np.float64),
        tuple(float(step) for step in lesions.header.get_zooms()[:3]),
        seconds,
        cpu_seconds,
    )
