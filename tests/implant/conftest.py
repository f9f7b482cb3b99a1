"""A computed abdomen without lesions, taken for a real CT of which the venous phase alone was scanned."""

from __future__ import annotations

import numpy as np
import pytest
from ct_files import save

from scripts.lidia.data.read_background import read_background
from scripts.lidia.implant.anatomy import Anatomy, measure_anatomy
from scripts.lidia.phantom.case import Case, sample_case

SPACING = (1.4, 1.4, 5.0)


@pytest.fixture(scope="package")
def healthy() -> Case:
    return sample_case(11, 4, spacing=SPACING, fov=(320.0, 235.0, 160.0), looks=[])


@pytest.fixture(scope="package")
def files(healthy: Case, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Paths: the four phases on the venous grid would need registration; the venous one is at home."""
    folder = tmp_path_factory.mktemp("background")
    volume = healthy.volumes["venous"]
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    flip[:2, 3] = np.array(volume.data.shape[:2]) - 1
    affine = volume.affine @ flip
    return {
        "venous": save(folder / "ct.nii.gz", volume.data[::-1, ::-1], affine),
        "liver": save(folder / "liver.nii.gz", healthy.liver[::-1, ::-1], affine),
    }


@pytest.fixture(scope="package")
def anatomy(files: dict[str, str]) -> Anatomy:
    return measure_anatomy(read_background("ct", {"venous": files["venous"]}, files["liver"]))
