"""A few test patients to look at: phases side by side, the true contours above, those of a system below."""

from __future__ import annotations

import base64
from pathlib import Path

from scripts.lidia.atomic import write_atomically
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.report.cohort_sections import draw_slice
from scripts.lidia.report.read_results import find_finished, read_patient
from scripts.lidia.report.slice_choice import choose_slices


def draw_cases(results_dir: Path, dataset_dir: str, folder: Path) -> dict[str, str]:
    """Draws every patient of `results_dir` on the slice that shows most.

    Args:
        results_dir: where inference wrote.
        dataset_dir: the cohort, for images and truth.
        folder: where the pictures go, `ID.png`.

    Returns:
        By id, what the picture shows in words.

    Raises:
        FileNotFoundError: inference left no results.
    """
    items = {item["id"]: item for item in load_datalist(dataset_dir, "test", check=False)}
    words = {}
    for case in find_finished(results_dir):
        patient = read_patient(results_dir, case, items[case])
        known = patient.truth if patient.truth is not None and patient.truth.lesions else patient.found
        source, words[case] = draw_slice(patient, choose_slices(known.numbers, 1)[0])
        with write_atomically(folder / f"{case}.png") as beside:
            beside.write_bytes(base64.b64decode(source.partition(",")[2]))
    if not words:
        raise FileNotFoundError(f"{results_dir} holds no results: the inference was not finished.")
    return words
