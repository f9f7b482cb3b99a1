"""Lesions in a real liver, where LIDIA_REAL_CT names a folder with one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion

from scripts.lidia.data.read_background import read_background
from scripts.lidia.implant.anatomy import measure_anatomy
from scripts.lidia.implant.implant_case import implant_case
from scripts.lidia.vocabulary import PHASES

CASES = {
    "venous": ("crlm_ct_1004/dicom", "crlm_ct_1004/liver_predicted_by_a_peer.nii.gz"),
    "nc": ("ts_native_3mm/example_ct_sm.nii.gz", "ts_native_3mm/liver_label.nii.gz"),
}


@pytest.mark.parametrize("phase", CASES)
def test_lesions_in_a_real_liver(real_ct: Path, phase: str) -> None:
    ct, liver = (real_ct / place for place in CASES[phase])
    anatomy = measure_anatomy(read_background("real", {phase: ct}, liver))
    source = anatomy.source
    assert 5 < anatomy.maps.scans[phase].noise_level < 16 and 0.5 <= anatomy.blur < 1.5
    case = implant_case(anatomy, 1, 0, looks=["FNH", "cyst"])
    assert {lesion["type"] for lesion in case.lesions} == {"FNH", "cyst"}
    lesion = case.instances > 0
    before = source.as_stored(source.phases[phase])
    far = ~binary_dilation(lesion, iterations=12)
    assert np.abs(case.volumes[phase].data - before)[far].max() <= 0.5, "the scan's own voxels"
    inside = source.as_stored(source.liver & ~anatomy.large)
    assert not lesion[source.as_stored(~source.liver)].any()
    fnh, cyst = (binary_erosion(case.label == number, np.ones((3, 3, 1))) for number in (6, 7))
    plain = binary_erosion(inside, np.ones((5, 5, 1))) & ~binary_dilation(lesion, iterations=5)
    hu = {p: [float(np.median(case.volumes[p].data[m])) for m in (fnh, cyst, plain)] for p in PHASES}
    assert hu["arterial"][0] > hu["arterial"][2] + 10
    assert abs(hu["venous"][0] - hu["venous"][2]) < 15
    assert np.ptp([hu[p][1] for p in PHASES]) < 10
    for name, expected in zip(PHASES, case.patient.liver, strict=True):
        assert abs(hu[name][2] - expected) < 6
