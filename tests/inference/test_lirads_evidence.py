"""The handler measures LI-RADS evidence in the scans, on any grids; the results keep to the schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import nibabel as nib
import numpy as np
import pytest
from monai.data import MetaTensor

from scripts.lidia.inference.lirads_evidence import MeasureLirads
from scripts.lidia.morphometry.lirads_thresholds import LiradsThresholds
from scripts.lidia.postprocess.diagnosis import Diagnosis

ROOT = Path(__file__).parents[2] / "lidia_bundle"
SCHEMA = json.loads((ROOT / "docs/lirads.schema.json").read_text(encoding="utf-8"))
SHAPE, AFFINE = (60, 50, 40), np.diag([-1.5, -1.5, 2.0, 1.0])
AFFINE[:3, 3] = 44, 36, -39
CENTRES = {1: (-18.0, 0.0, 0.0), 2: (22.0, 5.0, 5.0)}
RADII = {1: 13.0, 2: 9.0}
CURVES = {"arterial": (75, 110, 75), "venous": (105, 98, 20), "delayed": (90, 70, 20)}
"""HU of liver, first and second lesion."""


def find_distances(affine: np.ndarray, shape: tuple[int, ...], number: int) -> np.ndarray:
    index = np.indices(shape).reshape(3, -1)
    points = affine[:3, :3] @ index + affine[:3, 3:]
    return np.linalg.norm(points - np.reshape(CENTRES[number], (3, 1)), axis=0).reshape(shape)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A patient without `nc` whose arterial phase has another grid, and what postprocessing gives of them."""
    folder = tmp_path_factory.mktemp("scans")
    paths = {}
    other = np.diag([1.2, 1.4, 2.5, 1.0])
    other[:3, 3] = -44, -38, -42
    for phase, values in CURVES.items():
        affine, shape = (other, (74, 54, 34)) if phase == "arterial" else (AFFINE, SHAPE)
        voxels = np.full(shape, float(values[0]))
        for number in CENTRES:
            voxels[find_distances(affine, shape, number) < RADII[number]] = values[number]
        voxels += np.random.default_rng(1).normal(0, 5, shape)
        paths[phase] = str(folder / f"{phase}.nii.gz")
        nib.save(nib.Nifti1Image(voxels.astype(np.int16), affine), paths[phase])
    instances = np.zeros(SHAPE, np.uint16)
    for number in CENTRES:
        instances[find_distances(AFFINE, SHAPE, number) < RADII[number]] = number
    liver = np.ones(SHAPE, bool)
    records = [
        {"instance": number, "type": kind, "diameter_mm": 2 * RADII[number]}
        for number, kind in ((1, "HCC"), (2, "metastasis"))
    ]
    diagnosis = Diagnosis((instances * 2).astype(np.uint8), instances, liver, records, {}, {}, [])
    result = {"id": "P1", "phases_used": list(CURVES), "lesions": records}
    pred = MetaTensor(liver[None].astype(np.uint8), affine=AFFINE)
    return {"diagnosis": diagnosis, "result": result, "pred": pred, "item": {"phases": paths}}


def test_lesions_are_measured_on_their_own_places(data: dict[str, Any]) -> None:
    result = MeasureLirads().measure(data)
    first, second = (record["lirads"] for record in result["lesions"])
    for evidence in (first, second):
        jsonschema.validate(evidence, SCHEMA)
        assert "suggestion" not in evidence and set(evidence["attenuation"]) == set(CURVES)
    for number, evidence in ((1, first), (2, second)):
        for phase, values in CURVES.items():
            row = evidence["attenuation"][phase]
            assert row["core_hu"] == pytest.approx(values[number], abs=2.5)
            assert row["liver_hu"] == pytest.approx(values[0], abs=1.5)
            assert 2 < row["noise_hu"] < 7
    assert first["features"]["nonrim_aphe"]["state"] == "present"
    assert first["phases"]["nonperipheral_washout"] == {"venous": "present", "delayed": "present"}
    assert second["features"]["nonrim_aphe"]["state"] == "absent"
    assert result["lirads"]["at_risk"] is False
    assert result["lirads"]["limits"] == LiradsThresholds()._asdict()


def test_a_category_is_suggested_only_for_patients_at_risk(data: dict[str, Any]) -> None:
    first = MeasureLirads(at_risk=True).measure(data)["lesions"][0]["lirads"]
    jsonschema.validate(first, SCHEMA)
    assert first["suggestion"]["category"] == "LR-5"


def test_a_phase_that_was_not_used_is_not_measured(data: dict[str, Any]) -> None:
    result = {**data["result"], "phases_used": ["venous", "delayed"]}
    first = MeasureLirads(at_risk=True).measure({**data, "result": result})["lesions"][0]["lirads"]
    jsonschema.validate(first, SCHEMA)
    assert first["features"]["nonrim_aphe"] == {"state": "not_assessed", "reason": "no arterial phase"}
    assert first["suggestion"]["category"] == "LR-NC"
    assert len(first["suggestion"]["possible"]) > 1


def test_thresholds_come_from_the_config_and_equal_the_defaults(data: dict[str, Any]) -> None:
    block = json.loads((ROOT / "configs/inference.json").read_text(encoding="utf-8"))["lirads"]
    assert {k: v for k, v in block.items() if k[0] != "_" and k != "at_risk"} == LiradsThresholds()._asdict()
    strict = MeasureLirads(hyperenhancement_hu=50.0).measure(data)["lesions"][0]["lirads"]
    assert strict["features"]["nonrim_aphe"]["state"] == "absent"
    with pytest.raises(TypeError):
        MeasureLirads(washout=3)


def test_an_enhancing_lesion_that_is_called_a_cyst_is_named_in_a_warning(data: dict[str, Any]) -> None:
    assert MeasureLirads().measure(data)["warnings"] == []
    records = [{**data["result"]["lesions"][0], "type": "cyst"}, data["result"]["lesions"][1]]
    result = MeasureLirads().measure({**data, "result": {**data["result"], "lesions": records}})
    first, second = (record["lirads"] for record in result["lesions"])
    jsonschema.validate(first, SCHEMA)
    assert "HU in the arterial phase" in first["contradictions"][0] and second["contradictions"] == []
    assert "lesion 1 (cyst)" in result["warnings"][0] and "lesion 2" not in result["warnings"][0]


def test_a_patient_without_a_lesion_has_no_evidence(data: dict[str, Any]) -> None:
    empty = data["diagnosis"]._replace(instances=np.zeros(SHAPE, np.uint16))
    result = MeasureLirads().measure({
        **data,
        "diagnosis": empty,
        "result": {**data["result"], "lesions": []},
    })
    assert result["lesions"] == [] and "limits" in result["lirads"]
