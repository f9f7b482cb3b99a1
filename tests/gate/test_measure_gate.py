"""The perturbed scans of the measurement of the gate."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from experiments.gate.measure_gate import is_caused_by_refusal, summarise_share, write_perturbed_scans
from experiments.gate.perturb_scan import PERTURBATIONS
from scripts.lidia.inference.case_evaluator import CohortError


@pytest.fixture
def scan() -> tuple[np.ndarray, np.ndarray]:
    """Slice z has z HU in its right half; the liver is in slices 10 to 14."""
    hu = np.zeros((16, 16, 40), np.float32)
    hu[3:] = np.arange(40)
    liver = np.zeros(hu.shape, bool)
    liver[2:5, 2:5, 10:15] = True
    return hu, liver


def test_each_perturbation_by_hand(scan: tuple[np.ndarray, np.ndarray]) -> None:
    made = {name: perturb(scan) for name, perturb in PERTURBATIONS.items()}
    assert (made["original"] == scan[0]).all()
    assert made["upside_down"][4, 0].tolist() == list(range(39, -1, -1))
    assert made["mirrored"][0, 0].tolist() == list(range(40)) and not made["mirrored"][14].any()
    assert made["chest"][4, 0].tolist() == list(range(15, 40))
    assert made["pelvis"][4, 0].tolist() == list(range(10))
    assert made["no_intercept"].min() == 1024 and made["plus_150"].min() == 150
    assert made["half"].max() == 19.5 and made["double"].max() == 78 and made["minus_100"].max() == -61
    assert PERTURBATIONS["mr_like"]((np.float32([[[-100, -1000]]]), scan[1]))[0, 0].tolist() == [800, 0]


def test_scans_and_datalist_are_written(scan: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    hu, liver = scan
    affine = np.diag([-2.0, -2.0, 5.0, 1.0])  # LPS order in the file
    nib.save(nib.Nifti1Image(hu[::-1, ::-1].astype(np.int16), affine), data / "v.nii.gz")
    nib.save(nib.Nifti1Image(liver[::-1, ::-1, :].astype(np.uint8), affine), data / "l.nii.gz")
    item = {"id": "a", "phases": {"venous": "v.nii.gz"}, "liver": "l.nii.gz"}
    (data / "dataset.json").write_text(json.dumps({"training": [item]}))
    ids = write_perturbed_scans(data, "training", tmp_path / "out")
    assert set(ids) == set(PERTURBATIONS) and ids["chest"] == ["a__chest"]
    written = nib.load(tmp_path / "out/a__pelvis.nii.gz")
    assert written.shape == (16, 16, 10) and nib.aff2axcodes(written.affine) == ("R", "A", "S")
    listed = json.loads((tmp_path / "out/dataset.json").read_text())["test"]
    assert len(listed) == len(PERTURBATIONS) and listed[0]["phases"] == {"venous": "a__original.nii.gz"}


def test_a_refusal_is_recognised_below_the_error_of_an_expression() -> None:
    try:
        try:
            raise CohortError("2 failed")
        except CohortError as cause:
            raise RuntimeError("expression failed") from cause
    except RuntimeError as problem:
        assert is_caused_by_refusal(problem)
    assert not is_caused_by_refusal(RuntimeError("disk full"))


def test_shares() -> None:
    row = summarise_share({"a": [], "b": ["upside down"], "c": [], "d": ["refused"]})
    assert (row["scans"], row["stopped"], row["share"]) == (4, 2, 0.5) and set(row["reasons"]) == {"b", "d"}
    assert summarise_share({})["share"] is None
