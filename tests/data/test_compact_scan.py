"""Scans that are kept in memory: int16 where that is exact, and the same places as in the file."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from scripts.lidia.data.compact_scan import compact_scan
from scripts.lidia.data.phase_sampling import list_phase_sources, read_phase_crop
from scripts.lidia.data.preprocessing import preprocessing

AFFINE = np.diag([-2.0, 2.0, 3.0, 1.0])


@pytest.mark.parametrize("order", ["C", "F"])
def test_whole_hu_become_int16_and_others_stay(order: str) -> None:
    voxels = np.asarray(np.random.default_rng(0).integers(-1024, 3071, (40, 50, 60)), np.float32, order=order)
    whole = compact_scan(voxels, AFFINE)
    assert whole.voxels.dtype == np.int16
    np.testing.assert_array_equal(whole.voxels, voxels)
    voxels[-1, -1, -1] += 0.5
    assert compact_scan(voxels, AFFINE).voxels is voxels


def test_preprocessing_keeps_the_scans_of_all_phases_on_request(tmp_path: Path) -> None:
    generator, phases = np.random.default_rng(1), {}
    for phase in ("arterial", "venous"):
        voxels = np.full((30, 30, 20), -1000)
        voxels[5:-5, 5:-5] = generator.integers(0, 200, (20, 20, 20))
        phases[phase] = str(tmp_path / f"{phase}.nii.gz")
        nib.save(nib.Nifti1Image(voxels.astype(np.int16), AFFINE), phases[phase])
    item = {"id": "P", "phases": phases}
    assert "scans" not in preprocessing()(item)
    transform = preprocessing(keep_scans=True)
    assert "keep_scans" not in transform.settings
    sources = list_phase_sources({**item, "scans": transform(item)["scans"]})
    places = np.array([[-20.0, -40.0], [20.0, 30.0], [12.0, 30.0]])
    for phase, path in phases.items():
        kept, read = (read_phase_crop(source, "P", places) for source in (sources[phase], path))
        np.testing.assert_array_equal(kept.voxels, read.voxels)
        np.testing.assert_allclose(kept.affine, read.affine)
