"""Weights of several folds by --model_file, through inference.json and evaluate.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from test_configs import NATIVE, reason, workflow
from training.toys import save_network, write_toys

from scripts.lidia.runtime.weights import WeightsError, fingerprint_weights, hash_file

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

CASE = "toy_05"
QUICK = {**NATIVE, "patients": 1, "pages": False, "save_probabilities": True, "inferer#coarse": 0}


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toys(tmp_path_factory.mktemp("toys"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("folds")
    return [save_network(folder / f"f{number}.pt", number) for number in range(2)]


def infer(toys: Path, folder: Path, model: Any, **options: Any) -> tuple[dict[str, Any], np.ndarray]:
    places = {"dataset_dir": str(toys), "output_dir": str(folder), "model_file": model}
    workflow("inference", **QUICK, **places, **options).run()
    result = json.loads((folder / f"{CASE}.json").read_text())
    return result, np.asarray(nib.load(folder / f"{CASE}_probabilities.nii.gz").dataobj)


def test_folds_are_averaged(toys: Path, weights: list[str], tmp_path: Path) -> None:
    singles = [infer(toys, tmp_path / str(number), file) for number, file in enumerate(weights)]
    result, maps = infer(toys, tmp_path / "both", weights)
    np.testing.assert_allclose(maps, (singles[0][1] + singles[1][1]) / 2, atol=1e-5)
    assert result["versions"]["weights_sha256"] == [hash_file(file) for file in weights]
    assert result["calibrated"] is False
    infer(toys, tmp_path / "one", [weights[0]])
    for path in (tmp_path / "0").glob(f"{CASE}*"):
        assert (tmp_path / "one" / path.name).read_bytes() == path.read_bytes(), "a list of one is the one"


def test_a_calibration_of_exactly_these_folds(toys: Path, weights: list[str], tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(
        json.dumps({"weights_sha256": fingerprint_weights(weights), "lines": {"HCC": [1.0, -1.0]}})
    )

    def calibration(model: Any) -> Any:
        places = {"dataset_dir": str(toys), "output_dir": str(tmp_path), "calibration#path": str(path)}
        return workflow("inference", **NATIVE, **places, model_file=model).parser.get_parsed_content(
            "calibration"
        )

    for order in (weights, weights[::-1]):
        assert calibration(order).get().patients.lines == {"HCC": (1.0, -1.0)}
    for other in (weights[0], weights[:1]):
        assert calibration(other).get() is None, "it belongs to both, not to one of them"


def test_evaluation_by_the_overlay(toys: Path, weights: list[str], tmp_path: Path) -> None:
    places = {"dataset_dir": str(toys), "output_dir": str(tmp_path), "model_file": weights, "patients": 1}
    with pytest.raises(RuntimeError) as caught:
        workflow("evaluate", **NATIVE, **places).run()
    assert isinstance(reason(caught.value), WeightsError) and "recipes/ensemble.yaml" in str(
        reason(caught.value)
    )
    path = tmp_path / "calibration.json"
    fit = {"subset_patients": 0, "calibration#path": str(path)}
    workflow("evaluate", "recipes/ensemble.yaml", "recipes/calibrate.yaml", **NATIVE, **places, **fit).run()
    assert json.loads((tmp_path / "metrics.json").read_text())
    assert json.loads(path.read_text())["weights_sha256"] == fingerprint_weights(weights)
