"""Existence and operating points: fitted on an evaluation, read back, used by inference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from evaluation.stored_calibration import fit_stored_calibration, make_pair
from monai.data import MetaTensor

from scripts.lidia.evaluation.detection_table import DetectionTable
from scripts.lidia.evaluation.fit_type_sets import fit_type_sets, measure_type_sets
from scripts.lidia.evaluation.patient_metrics import PatientRows, PatientScores
from scripts.lidia.inference.calibration import CalibrationFile, get_lesion_calibration, get_lesion_points
from scripts.lidia.inference.postprocessing import Diagnosed
from scripts.lidia.postprocess.lesion_existence import compute_existence
from scripts.lidia.vocabulary import CLASSES, LESION_TYPES, LIVER

UNCALIBRATED = {"sensitive": 0.4, "balanced": 0.7, "specific": 0.9}


def make_rows(patients: int = 60) -> PatientRows:
    """Each patient has two true lesions (one of them found) and one false candidate of a lower peak."""
    rng, detections = np.random.default_rng(0), []
    ids = [f"{number:03}" for number in range(patients)]
    for name in ids:
        detections += [
            (name, make_pair(1, 1, rng.uniform(0.6, 1.0))),
            (name, make_pair(2, 0, rng.uniform(0.2, 0.7))),
            (name, make_pair(0, 2, np.nan)),
        ]
    columns = {key: np.zeros(patients) for key in PatientScores().names}
    columns["mm3_HCC"][::2], columns["livermax_HCC"] = 900.0, rng.random(patients)
    return PatientRows(ids, columns, [], detections)


class Measured(PatientScores):
    """Scores whose patients are at hand."""

    def rows(self) -> PatientRows:
        return make_rows()


@pytest.fixture
def stored(tmp_path: Path) -> CalibrationFile:
    return fit_stored_calibration(Measured(), tmp_path)


def test_a_calibrated_probability_matches_the_share_that_exists(stored: CalibrationFile) -> None:
    lesions, rows = get_lesion_calibration(stored), make_rows()
    assert lesions is not None
    table = DetectionTable(rows.ids, rows.detections)
    index, exists = table.find_candidates()
    assert len(index) == 120 and exists.sum() == 60
    existence = table.compute_existence(lesions.existence)[index]
    assert existence.mean() == pytest.approx(0.5, abs=1e-6), "a fit with intercept keeps the prevalence"
    assert (
        existence[exists].mean() > 0.8 and (np.diff(existence[np.argsort(table["peak"][index])]) >= 0).all()
    )


def test_the_rates_of_the_points_are_those_of_the_patients(stored: CalibrationFile) -> None:
    content = json.loads(Path(stored.path).read_text())
    lesions = get_lesion_calibration(stored)
    assert lesions is not None and content["candidates"] == 120 and "existence" not in content["without"]
    specific, balanced, sensitive = (lesions.points[name] for name in ("specific", "balanced", "sensitive"))
    assert specific.threshold >= balanced.threshold >= sensitive.threshold
    assert specific.false_per_patient <= 0.05 and sensitive.sensitivity == 0.5
    table = DetectionTable(make_rows().ids, make_rows().detections)
    scores = table.compute_existence(lesions.existence)
    reported = (table["candidate"] > 0) & (scores >= balanced.threshold)
    assert balanced.sensitivity == pytest.approx((reported & (table["truth"] > 0)).sum() / 120)
    assert balanced.false_per_patient == pytest.approx((reported & (table["truth"] == 0)).sum() / 60)


def test_inference_uses_model_and_threshold(stored: CalibrationFile) -> None:
    maps = np.zeros((len(CLASSES), 30, 16, 16), np.float32)
    maps[LIVER] = 1
    for start, peak in ((4, 0.95), (18, 0.45)):
        box = (slice(start, start + 5), slice(5, 10), slice(5, 10))
        maps[(2, *box)], maps[(LIVER, *box)] = peak, 1 - peak
    data = {"id": "a", "pred": MetaTensor(maps, affine=np.diag([2.0, 2, 2, 1]))}
    lesions = get_lesion_calibration(stored)
    assert lesions is not None
    expected = compute_existence([0.95, 0.45], [0.95, 0.45], [1000.0, 1000.0], lesions.existence)
    options = {"faint_threshold": 0.2, "lesion_points": UNCALIBRATED, "keep_candidates": True}
    output = Diagnosed(calibration=stored, operating_point="balanced", **options)(data)
    point = output["result"]["operating_point"]
    assert point["calibrated"] and point["threshold"] == lesions.points["balanced"].threshold
    assert point["rates"]["sensitivity"] == lesions.points["balanced"].sensitivity
    assert [entry["existence"] for entry in output["result"]["lesions"]] == pytest.approx(expected[:1])
    assert len(output["diagnosis"].candidates.records) == 2
    plain = Diagnosed(operating_point="sensitive", **options)(data)["result"]
    assert plain["operating_point"] == {"name": "sensitive", "threshold": 0.4, "calibrated": False}
    assert [entry["existence"] for entry in plain["lesions"]] == pytest.approx([0.95, 0.45])
    with pytest.raises(ValueError, match="operating_point"):
        Diagnosed(operating_point="loud", **options)(data)


def test_other_weights_fall_back_to_the_uncalibrated_points(stored: CalibrationFile) -> None:
    Path(str(stored.weights)).write_bytes(b"other weights")
    assert get_lesion_points(stored, UNCALIBRATED) == UNCALIBRATED


def test_sets_of_types_are_fitted_read_and_measured(stored: CalibrationFile) -> None:
    lesions = get_lesion_calibration(stored)
    assert lesions is not None and lesions.sets is not None
    sets, every_type_but_hcc = lesions.sets, list(LESION_TYPES[1:])
    # all of a true HCC's probability is on HCC, so its threshold is 1; other types have no calibration lesion
    shares = dict.fromkeys(LESION_TYPES, 0.1) | {"HCC": 0.4}
    assert sets.predict_lesion(shares, ("venous",), 0.9) == every_type_but_hcc
    assert sets.lesions["any"]["HCC"].cases == 60 and sets.patients["any"]["HCC"].cases == 30
    metrics = measure_type_sets(make_rows(), 113.0, sets, 0.9)
    assert metrics["lesion_set_coverage"]["value"] == 1 and metrics["lesion_set_size"]["value"] == 8
    assert 0.85 <= metrics["patient_set_coverage"]["value"] <= 0.97
    assert metrics["patient_set_coverage_HCC"]["n"] == 30 and metrics["patient_set_coverage_ICC"]["n"] == 0
    with pytest.raises(ValueError, match=r"coverage is 0\.5"):
        sets.predict_patient(shares, (), 0.5)


def test_hidden_phases_give_thresholds_of_their_own() -> None:
    rows = make_rows()
    rows.columns["phases"][:] = 15
    hidden = make_rows()._replace(columns={**rows.columns, "phases": np.full(60, 4.0)})
    content = fit_type_sets(rows, {"venous": hidden}, 113.0, (0.8, 0.9))
    assert set(content["lesions"]) == {"any", "nc+arterial+venous+delayed", "venous"}
    assert content["lesions"]["venous"]["HCC"]["cases"] == content["lesions"]["any"]["HCC"]["cases"] == 60
