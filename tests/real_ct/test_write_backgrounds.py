"""Backgrounds from a folder of studies and rough outlines."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from experiments.real_ct.write_backgrounds import write_backgrounds
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import read_sections

AFFINE = np.diag([2.0, 2.0, 5.0, 1.0])


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    items = []
    for study, phases in (("P1", ("arterial", "venous")), ("P2", ("nc",)), ("P3", ("venous",))):
        (tmp_path / study).mkdir()
        for phase in phases:
            for name in (phase, f"liver_{phase}"):
                image = nib.Nifti1Image(np.ones((20, 20, 8), np.uint8), AFFINE)
                nib.save(image, tmp_path / study / f"{name}.nii.gz")
        paths = {phase: f"{study}/{phase}.nii.gz" for phase in phases}
        items.append({"id": study, "phases": paths, "liver": f"{study}/liver_{phases[-1]}.nii.gz"})
    (tmp_path / "dataset.json").write_text(json.dumps({"training": items}))
    sphere = {"centre_ras_mm": [20, 20, 20], "radius_mm": 6, "what": "lesion"}
    (tmp_path / "outlines.json").write_text(json.dumps({"P1": [sphere], "P2": [], "P3": []}))
    return tmp_path


def test_each_volume_is_a_case_and_reserved_studies_are_left_out(studies: Path) -> None:
    path = write_backgrounds(
        data_dir=studies, output_dir=studies / "out", outlines=studies / "outlines.json", reserved=["P3"]
    )
    cases = read_sections(path)["training"]
    assert [case["id"] for case in cases] == ["P1_arterial", "P1_venous", "P2_nc"]
    assert [Path(case["liver"]).name for case in cases] == [
        "liver_arterial.nii.gz",
        "liver_venous.nii.gz",
        "liver_nc.nii.gz",
    ]
    assert [case.get("ignored") is not None for case in cases] == [True, True, False]
    mask = np.asarray(nib.load(cases[0]["ignored"]).dataobj)
    # voxels of 2 x 2 x 5 mm within 6 mm of voxel (10, 10, 4): 29 in its slice, 9 in each neighbour (3.3 mm)
    assert mask.sum() == 29 + 2 * 9 and mask[10, 10, 4] == 1


def test_a_study_that_nobody_looked_at_is_refused(studies: Path) -> None:
    (studies / "outlines.json").write_text("{}")
    with pytest.raises(CaseError) as caught:
        write_backgrounds(data_dir=studies, output_dir=studies / "out", outlines=studies / "outlines.json")
    assert (caught.value.code, caught.value.case) == ("no_outlines", "P1")
