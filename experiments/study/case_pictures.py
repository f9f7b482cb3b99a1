"""Draw test patients: all phases, with the true contours above and those of a system below."""

from __future__ import annotations

import base64
from pathlib import Path

from scripts.lidia.atomic import write_atomically
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.report.cohort_sections import draw_slice
from scripts.lidia.report.read_results import find_finished, read_patient
from scripts.lidia.report.slice_choice import choose_slices


def draw_cases(results_dir: Path, dataset_dir: str, folder: Path) -> dict[str, str]:
    """Draw every patient of `results_dir` on the slice with the largest findings.

    Args:
        results_dir: output folder of inference.
        dataset_dir: the cohort, for images and truth.
        folder: output folder of the pictures, `ID.png`.

    Returns:
        Caption of each picture by id.

    Raises:
        FileNotFoundError: there are no results of inference.
    """
    items = {item["id"]: item for item in load_datalist(dataset_dir, "test", check=False)}
    captions = {}
    for case in find_finished(results_dir):
        patient = read_patient(results_dir, case, items[case])
        findings = patient.truth if patient.truth is not None and patient.truth.lesions else patient.predicted
        source, captions[case] = draw_slice(patient, choose_slices(findings.numbers, 1)[0])
        with write_atomically(folder / f"{case}.png") as temporary:
            temporary.write_bytes(base64.b64decode(source.partition(",")[2]))
    if not captions:
        raise FileNotFoundError(f"{results_dir} holds no results: the inference was not finished.")
    return captions
