"""Calibration of the types of lesions: scaling by hand, fit on drawn lesions, use in inference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from evaluation.stored_calibration import fit_stored_calibration, make_pair
from monai.data import MetaTensor
from postprocess.class_maps import AFFINE, SPACING, liver, one_hot

from scripts.lidia.evaluation.fit_type_scaling import fit_type_scaling
from scripts.lidia.evaluation.patient_metrics import PatientRows, PatientScores
from scripts.lidia.inference.calibration import CalibrationFile
from scripts.lidia.inference.postprocessing import Diagnosed
from scripts.lidia.postprocess.lesion_instances import extract_lesions
from scripts.lidia.postprocess.type_scaling import TypeScaling, scale_types
from scripts.lidia.runtime.weights import WeightsError
from scripts.lidia.vocabulary import LESION_TYPES

NO_BIAS = (0.0,) * 8
METASTASIS, OTHERS = LESION_TYPES.index("metastasis"), LESION_TYPES.index("others")


def test_the_scaling_equals_numbers_worked_out_by_hand() -> None:
    probabilities = np.array([0.4, 0.2, 0, 0, 0, 0, 0, 0.2])
    bias = (0.0, float(np.log(3)), 5.0, 0, 0, 0, 0, 0)
    # powers 0.16, 0.04, 0.04; times 1, 3, 1; the sum 0.32 is scaled to 0.8
    expected = [0.4, 0.3, 0, 0, 0, 0, 0, 0.1]
    assert scale_types(probabilities, TypeScaling(2.0, bias)) == pytest.approx(expected)
    both = scale_types([probabilities, np.zeros(8)], TypeScaling(2.0, bias))
    assert both[0] == pytest.approx(expected) and not both[1].any()
    assert scale_types(probabilities, TypeScaling(1.0, NO_BIAS)) == pytest.approx(probabilities)


def draw_lesions(scaling: TypeScaling, count: int) -> tuple[np.ndarray, list[str]]:
    """Probabilities of lesions, whose types are drawn from the scaled ones."""
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.full(8, 1.0), count) * 0.9 + 0.01
    chances = scale_types(probabilities, scaling)
    chances /= chances.sum(axis=1, keepdims=True)
    return probabilities, [LESION_TYPES[rng.choice(8, p=row)] for row in chances]


def test_a_fit_finds_the_coefficients_that_drew_the_types() -> None:
    true = TypeScaling(1.8, (-0.6, -0.3, 1.2, 0.1, 0.4, 0.0, -0.2, -0.6))
    fitted = fit_type_scaling(*draw_lesions(true, 6000))
    assert fitted is not None and fitted.slope == pytest.approx(1.8, abs=0.12)
    assert np.subtract(fitted.bias, np.mean(fitted.bias)) == pytest.approx(true.bias, abs=0.2)


def test_the_bias_of_a_type_without_lesions_stays_0_and_one_type_gives_no_fit() -> None:
    probabilities, types = draw_lesions(TypeScaling(1.0, NO_BIAS), 300)
    seen = [row for row, name in enumerate(types) if name != "others"]
    fitted = fit_type_scaling(probabilities[seen], [types[row] for row in seen])
    assert fitted is not None and fitted.bias[OTHERS] == 0 and min(map(abs, fitted.bias[:OTHERS])) > 0
    assert fit_type_scaling(probabilities[:4], ["HCC"] * 4) is None
    assert fit_type_scaling(np.zeros((0, 8)), []) is None
    with pytest.raises(ValueError, match="finite"):
        fit_type_scaling([[np.nan] * 8, [0.1] * 8], ["HCC", "cyst"])


def test_a_lesion_takes_its_most_probable_type_after_the_scaling_and_the_map_follows() -> None:
    classes = liver()
    classes[6:10, 6:10, 6:10] = OTHERS + 2
    maps = one_hot(classes, sure=0.5)
    maps[METASTASIS + 2, 6:10, 6:10, 6:10] = 0.3
    bias = tuple(1.0 if name == "metastasis" else 0.0 for name in LESION_TYPES)
    raw, scaled = (
        extract_lesions(maps, SPACING, AFFINE, classes=classes, type_scaling=scaling)
        for scaling in (None, TypeScaling(1.0, bias))
    )
    assert raw.records[0]["type"] == "others" and scaled.records[0]["type"] == "metastasis"
    assert set(np.unique(scaled.classes)) == {0, METASTASIS + 2}
    totals = [sum(lesions.records[0]["probabilities"].values()) for lesions in (raw, scaled)]
    assert totals[0] == pytest.approx(totals[1])


class Measured(PatientScores):
    """Every lesion that the network calls `others` is a metastasis; each patient has a false candidate."""

    def rows(self) -> PatientRows:
        ids = [f"{number:02}" for number in range(40)]
        detections = []
        unsure = {"kind": OTHERS + 2, "shares": {"others": 0.4, "metastasis": 0.3}}
        for number, name in enumerate(ids):
            looks = unsure if number % 2 else {}
            true_kind = METASTASIS + 2 if number % 2 else 2
            detections += [(name, make_pair(1, 1, 0.9, true_kind=true_kind, **looks))]
            detections += [(name, make_pair(2, 0, 0.4, **looks))]
        columns = {key: np.zeros(len(ids)) for key in PatientScores().names}
        columns["mm3_HCC"][::2], columns["livermax_HCC"] = 900.0, np.linspace(0, 1, len(ids))
        return PatientRows(ids, columns, [], detections)


@pytest.fixture
def calibration(tmp_path: Path) -> CalibrationFile:
    return fit_stored_calibration(Measured(), tmp_path)


def test_a_stored_scaling_decides_the_type_that_inference_reports(calibration: CalibrationFile) -> None:
    content = json.loads(Path(calibration.path).read_text())
    stored = content["lesion_types"]
    assert stored["lesions"] == 40 and stored["bias"]["metastasis"] > stored["bias"]["others"] == 0
    classes = liver()
    classes[6:11, 6:11, 6:11] = OTHERS + 2
    maps = one_hot(classes, sure=0.9)
    maps[OTHERS + 2, 6:11, 6:11, 6:11], maps[METASTASIS + 2, 6:11, 6:11, 6:11] = 0.5, 0.4
    data = {"id": "a", "pred": MetaTensor(maps, affine=AFFINE)}
    types = [
        Diagnosed(calibration=source)(data)["result"]["lesions"][0]["type"] for source in (None, calibration)
    ]
    assert types == ["others", "metastasis"]


@pytest.mark.parametrize("change", [{"slope": -1.0}, {"slope": float("nan")}, {"bias": {"HCC": 0.0}}])
def test_a_scaling_that_is_not_valid_is_an_error_that_names_the_file(
    calibration: CalibrationFile, change: dict
) -> None:
    path = Path(calibration.path)
    content = json.loads(path.read_text())
    content["lesion_types"] |= change
    path.write_text(json.dumps(content))
    with pytest.raises(WeightsError, match=r"calibration\.json"):
        calibration.read()
