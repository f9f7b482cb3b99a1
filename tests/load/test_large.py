"""One patient as large as scanners make them, 1024 x 1024 x 600 voxels, in no more than 8 GiB.

`LIDIA_LOAD=1000 pytest tests/load/test_large.py`: minutes and a gigabyte of disk, hence not in every run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from load.watching import tell

from scripts.lidia.phantom.case import sample_case

LARGE = (1024, 1024, 600)
FINER = 8
GIB = 2**30


def large(path: Path) -> Path:
    """A coarse phantom whose every voxel became 8 x 8 x 8 of 0.45 x 0.45 x 0.5 mm."""
    spacing = (3.6, 3.6, 4.0)
    fov = [size // FINER * step for size, step in zip(LARGE, spacing, strict=True)]
    hu, affine = sample_case(3, 1, "internal", spacing=spacing, fov=fov).volumes["venous"]
    small = np.full([size // FINER for size in LARGE], -1000, np.int16)
    part = tuple(slice(0, min(have, needed)) for have, needed in zip(hu.shape, small.shape, strict=True))
    small[part] = np.rint(hu[part])
    fine = small
    for axis in range(3):
        fine = np.repeat(fine, FINER, axis=axis)
    place = affine @ np.diag([1 / FINER] * 3 + [1.0])
    image = nib.Nifti1Image(fine, place)
    image.set_sform(place, 1)
    image.set_qform(place, 1)
    nib.save(image, path)
    return path


@pytest.mark.slow
@pytest.mark.skipif(
    "LIDIA_LOAD" not in os.environ, reason="minutes and gigabytes: LIDIA_LOAD=1000 asks for it"
)
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_large_patient_needs_at_most_8_gib(bundle: Path, tmp_path: Path, ending: str) -> None:
    file = large(tmp_path / f"large{ending}")
    command = [sys.executable, "-m", "monai.bundle", "run", "--venous", str(file)]
    command += [
        "--config_file",
        str(bundle / "configs/inference.json"),
        "--output_dir",
        str(tmp_path / "out"),
    ]
    start, log = time.monotonic(), tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
        _, process.returncode, used = os.wait4(process.pid, 0)
    assert process.returncode == 0, log.read_text(errors="replace")[-3000:]
    peak = used.ru_maxrss * 1024
    content = json.loads((tmp_path / "out/large.json").read_text())
    lasted = time.monotonic() - start
    tell(f"{ending}: {peak / GIB:.2f} GiB, {lasted:.0f} s, {len(content['lesions'])} lesions")
    assert nib.load(tmp_path / "out/large_lesions.nii.gz").shape == LARGE
    assert peak <= 8 * GIB
