"""Eight clients at once: each gets his own answer, whole, and nothing leaks.

`LIDIA_LOAD_SECONDS=600 pytest -s -m label tests/label/test_load.py` keeps them at it for ten minutes.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from label.serving import Server
from load.watching import descriptors, rss_mb, tell

pytestmark = [pytest.mark.label, pytest.mark.slow]

SECONDS = float(os.environ.get("LIDIA_LOAD_SECONDS", "30"))
CLIENTS = 8


def select_result(answer: dict[str, Any]) -> dict[str, Any]:
    """What an answer says of the patient; times and temporary files differ each time."""
    return {
        key: answer[key] for key in ("id", "probabilities", "malignant", "benign", "lesions", "phases_used")
    }


def test_eight_clients_each_get_their_own_complete_result(
    server: Server, patients: list[str], tmp_path: Path
) -> None:
    alone = {patient: select_result(server.infer(patient)) for patient in patients}
    samples = {
        patient: np.asarray(nib.load(server.labels_of(patient, tmp_path / f"{patient}.nii.gz")).dataobj)
        for patient in patients
    }
    assert server.process is not None
    process, end = server.process.pid, time.monotonic() + SECONDS
    before = (rss_mb(process), descriptors(process))

    def client(number: int) -> int:
        request = 0
        while time.monotonic() < end:
            patient = patients[(number + request) % len(patients)]
            if request % 3 == 2:
                file = server.labels_of(patient, tmp_path / f"client{number}.nii.gz")
                assert np.array_equal(np.asarray(nib.load(file).dataobj), samples[patient])
            else:
                assert select_result(server.infer(patient)) == alone[patient]
            request += 1
        return request

    with ThreadPoolExecutor(CLIENTS) as pool:
        request = list(pool.map(client, range(CLIENTS)))
    after = (rss_mb(process), descriptors(process))
    tell(f"{sum(request)} answers, {min(request)} to {max(request)} a client")
    tell(f"RSS {before[0]:.0f} to {after[0]:.0f} MB, descriptors {before[1]} to {after[1]}")
    assert min(request) > 0
    assert after[0] < before[0] * 1.25 + 100 and after[1] <= before[1] + CLIENTS
