"""The probability that a lesion exists, faint candidates, and the threshold of an operating point."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.postprocess.class_map import classify_voxels
from scripts.lidia.postprocess.diagnosis import diagnose
from scripts.lidia.postprocess.faint_candidates import add_faint_candidates
from scripts.lidia.postprocess.lesion_existence import ExistenceModel, compute_existence
from scripts.lidia.vocabulary import CLASSES, LIVER

AFFINE = np.diag([2.0, 2, 2, 1])


def make_maps() -> np.ndarray:
    """A liver with a sure lesion (peak 0.9), a doubtful one (0.6), and a faint one (0.3)."""
    maps = np.zeros((len(CLASSES), 40, 20, 20), np.float32)
    maps[LIVER] = 1
    for start, kind, probability in ((4, 2, 0.9), (16, 3, 0.6), (28, 4, 0.3)):
        box = (slice(start, start + 5), slice(6, 11), slice(6, 11))
        maps[(kind, *box)], maps[(LIVER, *box)] = probability, 1 - probability
    return maps


def test_without_a_model_the_peak_counts() -> None:
    assert compute_existence([0.2, 0.9], [0.1, 0.5], [30.0, 900.0], None).tolist() == [0.2, 0.9]


def test_the_formula_by_hand() -> None:
    # logit(0.8) = ln 4, logit(0.5) = 0, ln(e^2) = 2: -1 * ... gives 0.5 ln 4 + 2 * 2 - 4 = ln 2
    model = ExistenceModel(peak=0.5, mean=3.0, volume=2.0, intercept=-4.0)
    assert compute_existence(0.8, 0.5, np.e**2, model) == pytest.approx(2 / 3)


def test_a_threshold_removes_the_lesions_below_it() -> None:
    maps = make_maps()
    for threshold, peaks in ((0.0, [0.9, 0.6, 0.3]), (0.5, [0.9, 0.6]), (0.7, [0.9]), (0.95, [])):
        diagnosis = diagnose(maps, (2, 2, 2), AFFINE, faint_threshold=0.2, min_existence=threshold)
        assert [record["existence"] for record in diagnosis.records] == pytest.approx(peaks)
        assert [record["instance"] for record in diagnosis.records] == list(range(1, len(peaks) + 1))
        assert set(np.unique(diagnosis.instances)) == set(range(len(peaks) + 1))
        assert ((diagnosis.instances > 0) == (diagnosis.classes > 0)).all()
        assert diagnosis.left_out["doubtful"] == 3 - len(peaks)
        assert diagnosis.liver.all(), "a removed lesion of the liver is liver"
        assert diagnosis.candidates is not None and len(diagnosis.candidates.records) == 3


def test_the_threshold_gives_the_result_of_a_map_without_the_doubtful_lesions() -> None:
    maps, certain = make_maps(), make_maps()
    certain[3:], certain[LIVER, 16:] = 0, 1
    expected = diagnose(certain, (2, 2, 2), AFFINE)
    for faint_threshold in (1.0, 0.2):
        result = diagnose(maps, (2, 2, 2), AFFINE, faint_threshold=faint_threshold, min_existence=0.7)
        for first, second in zip(expected[:3], result[:3], strict=True):
            assert (first == second).all()
        assert expected.records == result.records and expected.livermax["HCC"] == result.livermax["HCC"]


def test_faint_lesions_leave_the_outlines_of_others_unchanged() -> None:
    maps = make_maps()
    maps[2, 3], maps[LIVER, 3] = 0.4, 0.6  # a faint margin that touches the sure lesion
    classes = classify_voxels(maps)
    added = add_faint_candidates(classes, maps, 0.2)
    assert (added[:26] == classes[:26]).all()
    assert (added[28:33, 6:11, 6:11] == 4).all() and (classes[28:33] == LIVER).all()
    assert add_faint_candidates(classes, maps, 0.35) is classes
