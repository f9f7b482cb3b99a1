"""The uncertainty of a patient's scores."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.postprocess.patient_entropy import compute_mean_binary_entropy


def test_entropy_is_one_bit_in_the_middle_and_none_at_the_ends() -> None:
    assert compute_mean_binary_entropy([0.5] * 8) == pytest.approx(1.0)
    assert compute_mean_binary_entropy([0.0, 1.0]) == pytest.approx(0.0, abs=1e-6)
    assert compute_mean_binary_entropy([0.25]) == pytest.approx(2 - 0.75 * np.log2(3))
    assert compute_mean_binary_entropy([0.1, 0.4]) == pytest.approx(compute_mean_binary_entropy([0.9, 0.6]))
