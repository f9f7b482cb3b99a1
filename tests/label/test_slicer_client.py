"""The client of MONAI Label's module for 3D Slicer, from the installed package, drives a server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from label.conftest import run_server
from label.serving import PYTHON, Server

pytestmark = [pytest.mark.label, pytest.mark.slow]

CLIENT = Path(__file__).with_name("slicer_client.py")


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, truth: Path, patients: list[str], bundle: Path
) -> Iterator[Server]:
    with run_server(tmp_path_factory.mktemp("slicer"), bundle, truth, patients) as running:
        yield running


def test_the_buttons_of_slicer_s_module_work(
    server: Server, truth: Path, patients: list[str], tmp_path: Path
) -> None:
    label = tmp_path / "label.nii.gz"
    drawn = nib.load(truth / f"labels/final/{patients[0]}.nii.gz")
    classes = np.clip(np.asarray(drawn.dataobj), 0, 2).astype(np.int16)
    nib.save(nib.Nifti1Image(classes, drawn.affine), label)
    command = [str(PYTHON), str(CLIENT), server.url, str(tmp_path), patients[0], str(label)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr[-3000:] + server.log()
    answers = json.loads(outcome.stdout.splitlines()[-1])
    assert answers["login"] is False and answers["sample"] in patients
    assert set(answers["objects"]) == set(patients) and "liver" in answers["labels"]
    assert Path(answers["file"]).read_bytes().startswith(b"NRRD")
    assert set(answers["result"]["probabilities"]) >= {"HCC", "cyst"}
    assert answers["saved"] == patients[0]
    stored = np.asarray(nib.load(answers["downloaded"]).dataobj)
    assert np.array_equal(stored > 0, classes > 0)
    assert answers["training"] and answers["running"] is False
    assert "404" in answers["refusal"] or "422" in answers["refusal"]
