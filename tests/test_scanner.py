"""From DICOM to the report in one command: a study with wrong words, of a patient who breathes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import pydicom
import pytest
import torch
from dicom.studies import NUMBER, SPACING, write_study
from monai.bundle import ConfigParser
from test_configs import CONFIGS, TINY, workflow

from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.phantom.case import sample_case
from scripts.lidia.vocabulary import PHASES

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

WRONG = {"nc": "portal venous", "arterial": "native", "venous": "arterial", "delayed": "late arterial"}
NAME = "ID_17_4-7630f2"
"""Name of the files of patient "ID 17/4": two characters were replaced, hence the digest."""


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Folder of the results of such a study, by a small network that knows nothing, and its `ID.json`."""
    folder = tmp_path_factory.mktemp("scanner")
    case = sample_case(91, 4, "internal", breathing="raw", spacing=SPACING, looks=["HCC_typical"])
    write_study(folder / "study", case, WRONG)
    options = ConfigParser.load_config_file(str(CONFIGS / "inference.json"))["network_def"]
    options = {k: v for k, v in options.items() if not k.startswith("_")} | {"channels": [8, 8, 8, 8]}
    torch.manual_seed(0)
    torch.save(build_lidia(**options).state_dict(), folder / "model.pt")
    inputs = {
        "dicom_dir": str(folder / "study"),
        "register": "greedy",
        "model_file": str(folder / "model.pt"),
    }
    workflow("inference", **TINY, **inputs, output_dir=str(folder / "out")).run()
    return folder / "out", json.loads((folder / f"out/{NAME}.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_phases_are_named_by_their_images(answered: tuple[Path, dict[str, Any]]) -> None:
    _, result = answered
    assert result["phases_used"] == list(PHASES) and result["grid_phase"] == "venous"
    for phase, text in WRONG.items():
        title = f"series {NUMBER[phase]} ({text})"
        assert any(title in warning and f"as {phase}: check it" in warning for warning in result["warnings"])


def test_all_phases_were_brought_onto_the_venous_one(answered: tuple[Path, dict[str, Any]]) -> None:
    folder, result = answered
    assert set(result["registration"]) == {"nc", "arterial", "delayed"}
    venous = nib.load(folder / f"phases/{NAME}/venous.nii.gz")
    for phase, quality in result["registration"].items():
        assert quality["quality_after"] >= quality["quality_before"]
        shifted = nib.load(folder / f"registered/{NAME}/{phase}.nii.gz")
        assert shifted.shape == venous.shape


def test_segmentation_and_report_refer_to_the_venous_series(answered: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = answered
    for kind, modality in (("seg", "SEG"), ("sr", "SR")):
        dataset = pydicom.dcmread(folder / f"{NAME}_{kind}.dcm")
        assert dataset.Modality == modality and dataset.PatientID == "ID 17/4"
        assert f"1.2.3.{NUMBER['venous']}" in str(dataset)
    page = (folder / f"{NAME}.html").read_text(encoding="utf-8")
    assert "greedy" in page and "check it" in page
