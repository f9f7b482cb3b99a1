"""The calibration file: fitted on patients, bound to its weights, used by evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from evaluation.stored_calibration import fit_stored_calibration
from monai.data import MetaTensor

from scripts.lidia.evaluation.fit_calibration import NAMES, FitCalibration, fit_calibration
from scripts.lidia.evaluation.patient_metrics import PatientRows, PatientScores
from scripts.lidia.inference.calibration import apply_calibration, describe_certainty, read_calibration
from scripts.lidia.inference.postprocessing import Diagnosed
from scripts.lidia.metrics.operating_points import OperatingPoint
from scripts.lidia.metrics.platt_scaling import (
    Calibration,
    Platt,
    apply_platt,
    compute_platt_interval,
    fit_platt,
)
from scripts.lidia.postprocess.diagnosis import NO_LIVER
from scripts.lidia.runtime.weights import hash_file


def rows(patients: int = 200) -> PatientRows:
    """HCC is known by its score, cyst is scored the wrong way round, nobody has anything else."""
    rng = np.random.default_rng(0)
    columns = {name: np.zeros(patients) for name in PatientScores().names}
    sick, cyst = rng.random(patients) < 0.4, rng.random(patients) < 0.25
    columns["mm3_HCC"] = columns["mm3_malignant"] = 900.0 * sick
    columns["mm3_cyst"] = columns["mm3_benign"] = 900.0 * cyst
    columns["livermax_HCC"] = np.clip(rng.normal(0.5 + 0.2 * sick, 0.15), 0.01, 0.99)
    columns["livermax_malignant"] = columns["livermax_HCC"]
    columns["livermax_cyst"] = np.clip(rng.normal(0.5 - 0.2 * cyst, 0.15), 0.01, 0.99)
    columns["livermax_benign"] = columns["livermax_cyst"]
    return PatientRows([f"{number:03}" for number in range(patients)], columns, [])


class Measured(PatientScores):
    """Scores whose patients are at hand."""

    def rows(self) -> PatientRows:
        return rows()


def fitted(folder: Path) -> tuple[Path, Path]:
    stored = fit_stored_calibration(Measured(), folder)
    return Path(str(stored.weights)), Path(stored.path)


def test_lines_follow_the_patients() -> None:
    lines = fit_calibration(rows(), 113.0).lines
    assert set(lines) == {"HCC", "cyst", "malignant", "benign"}
    columns = rows().columns
    assert lines["HCC"] == fit_platt(columns["livermax_HCC"], columns["mm3_HCC"] > 113)
    assert lines["HCC"].slope > 0.5
    flat = apply_platt([0.1, 0.9], lines["cyst"])
    assert flat == pytest.approx([(columns["mm3_cyst"] > 0).mean()] * 2), "a score that falls knows nothing"


def test_the_file_is_read_back_for_its_weights_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights, path = fitted(tmp_path)
    content = json.loads(path.read_text())
    assert content["weights_sha256"] == hash_file(weights) and content["patients"] == 200
    assert "FNH" in content["without"]
    stored = read_calibration(str(path), str(weights))
    assert stored is not None and stored.patients == fit_calibration(rows(), 113.0)
    weights.write_bytes(b"other weights")
    assert read_calibration(str(path), str(weights)) is None and "other weights" in caplog.text
    assert read_calibration(str(tmp_path / "none.json"), str(weights)) is None


def test_only_the_first_rank_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    FitCalibration(scores=Measured(), path=str(tmp_path / "c.json"), weights="none")(None)
    assert not list(tmp_path.iterdir())


def test_scores_after_their_lines() -> None:
    lines = fit_calibration(rows(), 113.0).lines
    mended, all_of_them = apply_calibration({"HCC": 0.7, "FNH": 0.3}, lines)
    assert mended["HCC"] == pytest.approx(apply_platt([0.7], lines["HCC"])[0]) and mended["FNH"] == 0.3
    assert not all_of_them and apply_calibration({"HCC": 0.7}, lines)[1]
    assert apply_calibration({"HCC": 0.7}, None) == ({"HCC": 0.7}, False)


def test_a_patient_s_result_goes_through_the_lines() -> None:
    maps = np.zeros((10, 12, 12, 12), np.float32)
    maps[1] = 1
    maps[:, 5, 5, 5] = 0
    maps[1, 5, 5, 5], maps[2, 5, 5, 5] = 0.3, 0.7
    raw = {"id": "a", "pred": MetaTensor(maps, affine=np.diag([2.0, 2, 2, 1]))}
    lines = {name: Platt(0.5, -1.0) for name in NAMES}
    plain, mended = (Diagnosed(calibration=entry)(raw) for entry in (None, Calibration(lines)))
    assert plain["result"]["probabilities"]["HCC"] == pytest.approx(0.7) and not plain["result"]["calibrated"]
    expected = apply_platt([0.7], lines["HCC"])[0]
    assert mended["result"]["probabilities"]["HCC"] == pytest.approx(expected)
    assert mended["result"]["malignant"] == pytest.approx(expected) and mended["result"]["calibrated"]
    assert mended["diagnosis"].livermax == plain["diagnosis"].livermax
    maps[0], maps[1:] = 1, 0
    missing = Diagnosed(calibration=Calibration(lines))({
        "id": "a",
        "pred": MetaTensor(maps, affine=np.eye(4)),
    })["result"]
    assert (
        missing["probabilities"]["HCC"] == 0
        and not missing["calibrated"]
        and missing["warnings"] == [NO_LIVER]
    )


def test_fitted_operating_points_keep_their_shares() -> None:
    calibration = fit_calibration(rows(), 113.0)
    assert set(calibration.points) == {"HCC", "malignant"} and set(calibration.spreads) == set(
        calibration.lines
    )
    columns = rows().columns
    chances, sick = apply_platt(columns["livermax_HCC"], calibration.lines["HCC"]), columns["mm3_HCC"] > 113
    assert (chances[sick] >= calibration.points["HCC"].rule_out).mean() >= 0.95
    assert (chances[~sick] <= calibration.points["HCC"].rule_in).mean() >= 0.95


def test_a_result_has_intervals_and_triage_of_its_probabilities() -> None:
    fitted = fit_calibration(rows(), 113.0)
    reference = fitted._replace(
        points={"HCC": OperatingPoint(0.2, 0.6)},
        subsets={"nc+arterial+venous": 0.88, "nc+arterial+venous+delayed": 0.93},
        subset_patients=40,
    )
    record = describe_certainty({"HCC": 0.99, "FNH": 0.4}, ("nc", "arterial", "venous"), reference)
    assert record["triage"] == {"HCC": "ruled in"} and set(record["intervals"]) == {"HCC"}
    low, high = record["intervals"]["HCC"]
    assert (low, high) == compute_platt_interval(0.99, fitted.lines["HCC"], fitted.spreads["HCC"])
    assert low < apply_platt(0.99, fitted.lines["HCC"]) < high
    assert record["missing"] == {"phases": ["delayed"], "auc8": 0.88, "auc8_all": 0.93, "patients": 40}
    assert "missing" not in describe_certainty(
        {"HCC": 0.5}, ("nc", "arterial", "venous", "delayed"), reference
    )
    assert "missing" not in describe_certainty({"HCC": 0.5}, ("nc",), reference), (
        "a subset that nobody measured"
    )
    assert describe_certainty({"HCC": 0.5}, ("nc",), None) == {}


def test_an_older_file_without_points_is_still_read(tmp_path: Path) -> None:
    weights, path = fitted(tmp_path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({name: content[name] for name in ("weights_sha256", "lines")}))
    stored = read_calibration(str(path), str(weights))
    assert stored is not None and stored.lesions is None
    assert stored.patients.lines and not stored.patients.points and not stored.patients.subsets


def test_evaluation_measures_calibrated_scores() -> None:
    raw = Measured().aggregate()
    mended = Measured(calibration=fit_calibration(rows(), 113.0)).aggregate()
    assert mended["ece"] < raw["ece"] and mended["brier_skill"] > raw["brier_skill"]
    assert mended["auc8"] == raw["auc8"]
