"""`lidia` in a process of its own: results on disk, messages and exit status."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from cli.conftest import Run
from dicom.studies import patient, write_study

COARSE = ("--spacing", "4,4,5", "--roi_size", "96,80,48")


def test_a_dicom_study_gives_results_of_its_patient(lidia: Run, tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", patient(), {"arterial": "art", "venous": "ven"})
    process = lidia("predict", study, "-o", "out", "--pages", "false", *COARSE)
    assert process.returncode == 0, process.stderr[-2000:]
    assert "holds DICOM files" in process.stdout
    out = tmp_path / "work/out"
    (result,) = (json.loads(path.read_text()) for path in out.glob("ID*.json"))
    assert result["phases_used"] == ["arterial", "venous"]
    assert sorted(path.suffix for path in out.glob("ID*.dcm")) == [".dcm", ".dcm"]  # SEG and SR
    assert not list(out.glob("*.html"))
    assert f"Results: {out}" in process.stdout
    assert "Only proceed if this config is from a source you trust" not in process.stderr


def test_a_folder_of_nifti_files_gives_results_of_each_patient(
    lidia: Run, cohort: Path, tmp_path: Path
) -> None:
    items = json.loads((cohort / "dataset.json").read_text(encoding="utf-8"))["training"][:2]
    for number, item in enumerate(items, 1):
        (tmp_path / f"scans/P{number}").mkdir(parents=True)
        for phase in ("arterial", "venous")[: number + 1]:
            if phase in item["phases"]:
                shutil.copy(cohort / item["phases"][phase], tmp_path / f"scans/P{number}/{phase}.nii.gz")
    process = lidia("predict", tmp_path / "scans", "-o", tmp_path / "out", *COARSE, "--pages", "False")
    assert process.returncode == 0, process.stderr[-2000:]
    assert "holds 2 patients" in process.stdout
    for number in (1, 2):
        expected = [p for p in ("arterial", "venous") if (tmp_path / f"scans/P{number}/{p}.nii.gz").exists()]
        result = json.loads((tmp_path / f"out/P{number}.json").read_text(encoding="utf-8"))
        assert result["phases_used"] == expected
        lesions = nib.load(tmp_path / f"out/P{number}_lesions.nii.gz")
        assert lesions.shape == nib.load(tmp_path / f"scans/P{number}/{expected[-1]}.nii.gz").shape


def test_an_export_gives_the_same_numbers_as_the_network(
    lidia: Run, tmp_path: Path, network: torch.nn.Module
) -> None:
    process = lidia("export", "-o", tmp_path / "lidia.ts")
    assert process.returncode == 0, process.stderr[-2000:]
    image = torch.full((1, 4, 32, 32, 32), torch.nan)
    image[:, 2] = torch.linspace(-1.0, 1.0, 32**3).reshape(32, 32, 32)
    exported = torch.jit.load(tmp_path / "lidia.ts").eval()
    with torch.no_grad():
        np.testing.assert_allclose(exported(image), network(image), atol=1e-5)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["predict", "{scan}", "--inferer#ovrlap", "0.5"], ["OptionError", "--inferer#ovrlap", "overlap"]),
        (["predict", "{scan}", "--overlap", "2"], ["OptionError", "--overlap 2"]),
        (["export", "-o", "lidia.pth"], ["ExportError", "lidia.pth", ".onnx"]),
    ],
)
def test_errors_of_a_job_are_those_of_its_config(
    lidia: Run, tmp_path: Path, words: list[str], parts: list[str]
) -> None:
    scan = tmp_path / "a_venous.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((8, 8, 8), np.int16), np.eye(4)), scan)
    process = lidia(*(word.format(scan=scan) for word in words))
    assert process.returncode == 1
    last = process.stderr.strip().splitlines()[-1]
    assert all(part in last for part in parts), process.stderr[-2000:]
    assert "Traceback" not in process.stderr
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["predikt", "study"], ["predikt", "did you mean lidia predict?"]),
        (["."], ["lidia predict ."]),
        (["predict"], ["needs an input", "NIfTI"]),
        (["predict", "missing.nii.gz"], ["missing.nii.gz"]),
        (["predict", ".", "--dicom_dir", "."], ["is given twice"]),
        (["predict", ".", "--ovrlap", "0.5"], ["--ovrlap", "did you mean --overlap?"]),
        (["predict", ".", "-out", "results"], ["--out", "did you mean --output_dir?"]),
        (["report"], ["needs an input"]),
        (["train", "a", "b"], ["one input, not 2"]),
        (["info", "--jsn"], ["--jsn", "--json"]),
    ],
)
def test_a_wrong_command_line_is_one_error_within_a_moment(
    lidia: Run, tmp_path: Path, words: list[str], parts: list[str]
) -> None:
    (tmp_path / "work/dataset.json").write_text('{"test": [{"id": "P1", "phases": {"nc": "a.nii"}}]}')
    process = lidia(*words)
    assert process.returncode == 1
    assert process.stderr.strip().startswith("CommandError"), process.stderr
    assert all(part in process.stderr for part in parts), process.stderr
    assert len(process.stderr.strip().splitlines()) == 1
