"""The benefit of registration is measured per patient, and an interrupted measurement resumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monai.bundle import ConfigWorkflow

from experiments.study.breathing_truth import redraw_displacements
from scripts.lidia.phantom.case import sample_case
from scripts.lidia.registration import register_case, select_transform

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "lidia_bundle/configs"


@pytest.mark.parametrize("index", [0, 3])
def test_the_breathing_is_the_phantom_s_own(index: int) -> None:
    case = sample_case(5, index, breathing="raw", spacing=(6.0, 6.0, 6.0))
    breaths = redraw_displacements(5, index, spacing=(6.0, 6.0, 6.0))
    for phase, shifted in case.moved.items():
        if phase != "venous":
            assert np.sqrt((breaths[phase].shift ** 2).sum(0)).max() == pytest.approx(shifted, abs=1e-4)
            assert breaths[phase].shift.shape[1:] == case.volumes[phase].data.shape


def test_where_a_place_went_is_found_by_going_back() -> None:
    breath = redraw_displacements(5, 3, spacing=(6.0, 6.0, 6.0))["nc"]
    venous = np.random.default_rng(0).uniform(-60, 60, (3, 50))
    went = breath.locate(venous)
    axes = [np.asarray(axis, float) for axis in breath.frame]
    from scipy.interpolate import RegularGridInterpolator

    shift = np.stack([RegularGridInterpolator(axes, part)(went.T) for part in breath.shift])
    np.testing.assert_allclose(went + shift, venous, atol=1e-3)
    assert np.linalg.norm(went - venous, axis=0).max() > 10


def test_what_is_done_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def result(
        target: select_transform.Target, *_: Any, method: str, **__: Any
    ) -> select_transform.Alignment:
        calls.append(method)
        field = np.zeros((3, *target.lattice.shape), np.float32)
        field[0] = 100  # far away: an error that the measurement must see
        return select_transform.Alignment(method, field, 0.1, 0.2, "a test's")

    monkeypatch.setattr(register_case, "align_pair", result)

    def run(patients: int) -> dict[str, Any]:
        flow = ConfigWorkflow(
            config_file=[str(CONFIGS / "evaluate.json"), str(ROOT / "experiments/configs/registration.yaml")],
            workflow_type="eval",
            run_id="measuring",
            seed=5,
            patients=patients,
            phantom_spacing=6.0,
            spacing=[6.0, 6.0, 6.0],
            roi_size=[48, 48, 32],
            draws=20,
            output_dir=str(tmp_path),
        )
        flow.initialize()
        flow.run()
        return json.loads((tmp_path / "registration.json").read_text())

    entry = run(1)
    assert entry["patients"] == 1 and entry["pairs"] == len(calls)
    assert entry["error_mm"]["after"]["mean"] > 80 > entry["error_mm"]["before"]["mean"] > 0.5
    before = len(calls)
    two = run(2)
    assert two["patients"] == 2 and two["pairs"] == len(calls) > before
    remaining = json.loads((tmp_path / "patients/internal_5_00000.json").read_text())
    assert set(remaining["rows"]) == {"raw", "registered", "residual"}
    assert all(
        remaining["rows"][arm]["mm3_HCC"] == remaining["rows"]["raw"]["mm3_HCC"] for arm in remaining["rows"]
    )
    assert run(2) == two and two["pairs"] == len(calls), "nothing is done twice"
    assert not (tmp_path / "volumes").exists()
