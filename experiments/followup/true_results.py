"""Write the truth of phantom scans as result files, as if inference had found every lesion exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from scripts.lidia.atomic import write_json
from scripts.lidia.inference.result_files import describe_inputs, result_files, write_volume
from scripts.lidia.vocabulary import LESION_TYPES, LIVER


def write_true_results(items: Iterable[Mapping[str, Any]], folder: str | Path) -> None:
    """Write result files of each scan from its label, instances and liver.

    Args:
        items: of a datalist from `phantom.json --timepoints`, with absolute paths.
        folder: folder of the results; existing results are kept.
    """
    for item in items:
        files = result_files(folder, item["id"])
        if files["result"].is_file():
            continue
        label, instances, liver = (nib.load(item[name]) for name in ("label", "instances", "liver"))
        classes = np.asarray(label.dataobj)
        write_volume(files["lesions"], np.where(classes > LIVER, classes, 0).astype(np.uint8), label.affine)
        write_volume(files["instances"], np.asarray(instances.dataobj).astype(np.uint16), label.affine)
        write_volume(files["liver"], (np.asarray(liver.dataobj) > 0).astype(np.uint8), label.affine)
        lesions = [
            {
                "instance": lesion["instance"],
                "type": lesion["type"],
                "probabilities": {name: float(name == lesion["type"]) for name in LESION_TYPES},
                "volume_mm3": lesion["volume_mm3"],
                "diameter_mm": lesion["longest_mm"],
            }
            for lesion in item["lesions"]
        ]
        result = {
            "id": item["id"],
            "patient": item["patient"],
            "date": item["date"],
            "grid_phase": "venous",
            "phases_used": list(item["phases"]),
            "probabilities": dict.fromkeys(LESION_TYPES, 0.0),
            "malignant": 0.0,
            "benign": 0.0,
            "calibrated": False,
            "lesions": lesions,
            "warnings": [],
            "versions": {"bundle": "truth", "weights_sha256": "none"},
            "inputs": describe_inputs(item, Path(folder)),
        }
        write_json(files["result"], result)
