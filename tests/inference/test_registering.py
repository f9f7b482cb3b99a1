"""Inference with registration: results of phases of separate breath-holds name the registered phases."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import pytest
from monai.bundle import ConfigWorkflow

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.inference.cohort_dataset import CohortDataset
from scripts.lidia.inference.result_files import hash_input
from scripts.lidia.phantom.write_cohort import write_cohort

CONFIGS = Path(__file__).parents[2] / "lidia_bundle/configs"


def test_inference_registers_phases_and_records_it(tmp_path: Path) -> None:
    write_cohort(dataset_dir=tmp_path / "raw", cases=1, seed=5, breathing="raw", spacing=4.0)
    path = tmp_path / "raw/dataset.json"
    raw = json.loads(path.read_text())
    item = raw["test"][0]
    item["phases"] = {phase: item["phases"][phase] for phase in ("arterial", "venous")}
    path.write_text(json.dumps(raw))
    flow = ConfigWorkflow(
        config_file=str(CONFIGS / "inference.json"),
        workflow_type="infer",
        dataset_dir=str(tmp_path / "raw"),
        output_dir=str(tmp_path / "out"),
        register="greedy",
        roi_size=[64, 64, 48],
        spacing=[4.0, 4.0, 4.0],
        num_workers=1,
    )
    flow.initialize()
    flow.run()
    flow.finalize()
    result = json.loads((tmp_path / f"out/{item['id']}.json").read_text())
    quality = result["registration"]
    assert set(quality) == {"arterial"}
    assert quality["arterial"]["accepted"] and quality["arterial"]["method"] == "greedy"
    assert quality["arterial"]["quality_after"] > quality["arterial"]["quality_before"]
    assert not [warning for warning in result["warnings"] if "registration" in warning]
    shifted = nib.load(tmp_path / f"out/registered/{item['id']}/arterial.nii.gz")
    assert shifted.shape == nib.load(tmp_path / "raw" / item["phases"]["venous"]).shape
    registered = tmp_path / f"out/registered/{item['id']}/arterial.nii.gz"
    recorded = result["inputs"]["arterial"]
    assert recorded["sha256"] == hash_input(registered), "handlers get the phases that were read"


def test_an_unknown_method_is_refused_before_anything_runs() -> None:
    with pytest.raises(CaseError) as caught:
        CohortDataset([], lambda item: item, register="elastix")
    assert caught.value.code == "unknown_method" and "'elastix'" in caught.value.problem
