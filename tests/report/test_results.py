"""Truth and matches of a patient written by hand."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from scripts.lidia.metrics.lesion_matching import find_lesions
from scripts.lidia.report.read_results import (
    Patient,
    find_finished,
    match_true_lesions,
    read_patient,
    read_truth,
)


def of(run: Path, case: str) -> Patient:
    items = json.loads((run / "data/dataset.json").read_text(encoding="utf-8"))["test"]
    return read_patient(run / "results", case, next(item for item in items if item["id"] == case))


def test_only_whole_results_count(run: Path, tmp_path: Path) -> None:
    assert find_finished(run / "results") == ["P1", "P2"]
    (tmp_path / "P3.json").write_text("{}", encoding="utf-8")
    assert find_finished(tmp_path) == []


def test_truth_follows_the_label(run: Path) -> None:
    truth = read_truth(of(run, "P1"))
    assert truth is not None
    existing = sorted(name for name, present in truth.items() if present)
    assert existing == ["HCC", "benign", "cyst", "malignant", "metastasis"]
    assert not any((read_truth(of(run, "P2")) or {"": True}).values())


def patient(result: np.ndarray, truth: np.ndarray, malignant: dict[str, bool] | None = None) -> Patient:
    sides = [find_lesions(volume, (5.0, 5.0, 5.0)) for volume in (result, truth)]
    return Patient({}, {}, np.eye(4), sides[0], result > 0, sides[1], malignant or {})


def test_others_count_on_the_side_of_their_flag() -> None:
    volume = np.full((4, 4, 4), 9)
    truth = read_truth(patient(volume * 0, volume, {"1": True}))
    assert truth is not None and truth["malignant"] and not truth["benign"] and truth["others"]


def test_a_counterpart_needs_a_fifth_of_dice_and_is_blind_to_type() -> None:
    result, truth = np.zeros((20, 1, 1), int), np.zeros((20, 1, 1), int)
    truth[:10], result[8:16] = 5, 2
    assert match_true_lesions(patient(result, truth)) == {1: 1}
    truth[:1] = truth[9] = 0
    assert match_true_lesions(patient(result, truth)) == {}


def test_a_label_on_another_grid_is_refused(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "label.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), other)
    with pytest.raises(ValueError, match="different grids"):
        read_patient(run / "results", "P1", {"label": str(other)})


def test_a_missing_file_is_an_error(run: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_patient(run / "results", "P9")
