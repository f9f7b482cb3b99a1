"""Folders of small CT without labels, and a segmenter by a threshold in the place of the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ct_files import write_ct

from scripts.lidia.data.read_volume import read_phase
from scripts.lidia.inference.liver_segmenter import SegmentedLiver
from scripts.lidia.prepare.mask_gate import MaskGate
from scripts.lidia.prepare.prepare_data import prepare

SHAPE, STEP = (48, 48, 40), (3.5, 3.5, 4.0)
GATE = MaskGate(volume_ml=(300.0, 4000.0), right_left_mm=(80.0, 300.0))
CONFIG = str(Path(__file__).parents[2] / "lidia_bundle/configs/inference.json")


class ThresholdSegmenter:
    """Takes for liver what is brighter than 20 HU; the second pass misses the left half of dark livers."""

    calls: list[str] = []
    stop_at = ""
    level = 20.0

    def __call__(self, case: str, phase: str, path: Path) -> SegmentedLiver:
        if case == self.stop_at:
            raise KeyboardInterrupt
        self.calls.append(case)
        hu, affine, _ = read_phase(path, case)
        mask = hu > self.level
        mirrored = mask.copy()
        if mask.any() and np.median(hu[mask]) < 65:
            mirrored[: mask.shape[0] // 2] = False
        upright = np.diag([*np.linalg.norm(affine[:3, :3], axis=0), 1.0])
        return SegmentedLiver(mask, affine, hu, upright, mask, mask, mirrored, (), ("a warning",))


def make_ct(path: Path, liver_hu: float, seed: int = 0) -> Path:
    return Path(write_ct(path, SHAPE, STEP, liver_hu=liver_hu, seed=seed)[0])


def run(read: Path, write: Path, **options: Any) -> Path:
    options = {"inference_config": CONFIG, "mask_gate": GATE, **options}
    return prepare(source="unlabelled", input_dir=read, dataset_dir=write, **options)


def read_errors(folder: Path) -> dict[str, dict[str, str]]:
    return {entry["case"]: entry for entry in json.loads((folder / "errors.json").read_text())}
