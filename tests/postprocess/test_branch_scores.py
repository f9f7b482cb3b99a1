"""The rule of a patient branch: the mean of its painted scores over the predicted lesions."""

import re

import numpy as np
import pytest
import torch

from scripts.lidia.metrics.patient_rows import SCORES
from scripts.lidia.postprocess.branch_scores import BRANCH_SCORES, compute_branch_scores, split_branch
from scripts.lidia.postprocess.diagnosis import diagnose

SHAPE = (20, 20, 20)


def prediction(painted=None):
    """A liver with an HCC of 64 voxels and a cyst of 64 voxels of 8 mm3, and a spark of one voxel."""
    maps = np.full((10, *SHAPE), 0.01, np.float32)
    maps[1, 2:18, 2:18, 2:18] = 0.91
    for kind, place in ((2, np.s_[4:8, 4:8, 4:8]), (7, np.s_[12:16, 4:8, 4:8]), (5, np.s_[9, 15, 15])):
        maps[1][place], maps[kind][place] = 0.01, 0.91
    return maps if painted is None else np.concatenate([maps, painted])


def halves():
    """Two windows: the first half of the volume said 0.2, the second 0.6; HCC alone said 0.9 in the first."""
    painted = np.full((len(BRANCH_SCORES), *SHAPE), 0.2, np.float32)
    painted[:, 10:] = 0.6
    painted[list(BRANCH_SCORES).index("HCC"), :10] = 0.9
    return painted


def test_the_channels_have_the_order_of_the_metrics() -> None:
    assert tuple(BRANCH_SCORES) == SCORES


def test_the_scores_are_means_over_predicted_lesions() -> None:
    diagnosis = diagnose(prediction(halves()), (2, 2, 2), np.eye(4) * 2)
    assert len(diagnosis.records) == 2 and diagnosis.branch is not None
    assert diagnosis.branch["HCC"] == pytest.approx((64 * 0.9 + 64 * 0.6) / 128)
    assert (
        diagnosis.branch["malignant"]
        == diagnosis.branch["cyst"]
        == pytest.approx((64 * 0.2 + 64 * 0.6) / 128)
    )
    plain = diagnose(prediction(), (2, 2, 2), np.eye(4) * 2)
    assert plain.branch is None
    assert plain.livermax == diagnosis.livermax and plain.pixelcount == diagnosis.pixelcount


def test_unequal_lesions_count_by_their_voxels() -> None:
    lesions = np.zeros(SHAPE, np.uint8)
    lesions[0, 0, :3], lesions[19, 0, 0] = 2, 7
    assert compute_branch_scores(torch.from_numpy(halves()), lesions)["FNH"] == pytest.approx(
        (3 * 0.2 + 0.6) / 4
    )


def test_scores_are_plain_numbers_in_0_to_1_whatever_the_tensor() -> None:
    lesions = np.zeros(SHAPE, np.uint8)
    lesions[:2] = 2
    painted = torch.full((len(BRANCH_SCORES), *SHAPE), 1.01, dtype=torch.bfloat16, requires_grad=True)
    assert compute_branch_scores(painted, lesions) == dict.fromkeys(SCORES, 1.0)
    assert compute_branch_scores(-halves(), lesions)["HCC"] == 0.0


def test_no_lesion_no_score() -> None:
    scores = compute_branch_scores(halves(), np.zeros(SHAPE))
    assert scores == dict.fromkeys(SCORES, 0.0)


def test_only_a_network_with_a_branch_is_split() -> None:
    maps, painted = split_branch(prediction(halves()))
    assert len(maps) == 10 and len(painted) == 11
    assert split_branch(prediction())[1] is None
    with pytest.raises(ValueError, match="10, X, Y, Z"):
        diagnose(prediction(halves()[:3]), (2, 2, 2), np.eye(4))


def test_scores_that_do_not_fit_or_are_not_finite_are_refused() -> None:
    shapes = re.escape(f"{halves()[:, 1:].shape}, the lesions {SHAPE}")
    with pytest.raises(ValueError, match=shapes):
        compute_branch_scores(halves()[:, 1:], np.ones(SHAPE))
    broken = halves()
    broken[3, 1, 1, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        compute_branch_scores(broken, np.ones(SHAPE))
