"""The aorta is drawn beside lesions and liver where it is certainly found and holds blood alone."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from phase_id.abdomen import AFFINE, body

from scripts.lidia.metrics.lesion_matching import find_lesions
from scripts.lidia.report.read_results import Patient
from scripts.lidia.report.scan_layout import lay_out, read_scans

SPACING = [2.0, 2.0, 5.0]


def patient_of(folder: Path, **tubes: float) -> Patient:
    """A patient with a liver, no lesion, and an aorta of some HU in each phase."""
    phases = {}
    for phase, hu in tubes.items():
        phases[phase] = str(folder / f"{phase}.nii.gz")
        nib.save(nib.Nifti1Image(body(hu).astype(np.int16), AFFINE), phases[phase])
    liver = np.zeros((180, 130, 24), bool)
    liver[120:150, 50:80, 2:22] = True
    lesions = find_lesions(np.zeros(liver.shape, np.uint8), SPACING)
    return Patient({"id": "P1", "phases_used": list(tubes)}, phases, AFFINE, lesions, liver, None, {})


def aorta_of(patient: Patient) -> dict[str, float]:
    scans = read_scans(patient, lay_out(patient, len(patient.phases), 1))
    assert list(scans) == list(patient.phases)
    return {phase: scan.hu["aorta"] for phase, scan in scans.items() if "aorta" in scan.hu}


def test_blood_is_read_in_every_phase_where_the_brightest_shows_it(tmp_path: Path) -> None:
    truth = {"nc": 42.0, "arterial": 320.0, "venous": 160.0, "delayed": 110.0}
    result = aorta_of(patient_of(tmp_path, **truth))
    assert set(result) == set(truth)
    assert all(abs(result[phase] - truth[phase]) < 3 for phase in truth)


def test_without_contrast_no_blood_is_searched(tmp_path: Path) -> None:
    assert aorta_of(patient_of(tmp_path, nc=300.0)) == {}


def test_voxels_bright_before_contrast_are_not_blood(tmp_path: Path) -> None:
    assert aorta_of(patient_of(tmp_path, nc=130.0, arterial=320.0)) == {}
