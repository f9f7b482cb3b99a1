"""From a folder of DICOM files to the series of each phase: selection, reasons, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom.studies import patient, write_study

from scripts.lidia.dicom.study import Study, find_studies
from scripts.lidia.phantom.case import Case, Volume
from scripts.lidia.phase_id.select_series import SeriesSelection, format_table, make_case_id, select_series
from scripts.lidia.vocabulary import PHASES

WORDS = {"nc": "Abd nativ 3.0", "arterial": "Abd art 3.0", "venous": "Abd ven 3.0", "delayed": "Abd 3 min"}


@pytest.fixture(scope="module")
def case() -> Case:
    return patient()


def chosen(folder: Path, **options: object) -> SeriesSelection:
    [study] = find_studies(folder)
    return select_series(study, case="P1", **options)  # type: ignore[arg-type]


def numbers(choice: SeriesSelection) -> dict[str, str]:
    return {phase: series.name for phase, series in choice.phases.items()}


TRUE = {"nc": "3", "arterial": "5", "venous": "6", "delayed": "8"}


def test_four_phases_by_words_times_and_image(tmp_path: Path, case: Case) -> None:
    choice = chosen(write_study(tmp_path, case, WORDS))
    assert numbers(choice) == TRUE and choice.warnings == []
    assert [row["phase"] for row in choice.rows if row["taken"]] == list(PHASES)
    assert all(row["confidence"] > 0.95 and "says" in row["why"] for row in choice.rows)
    assert format_table(choice.rows).splitlines()[2].startswith("arterial  5")


def test_a_series_without_liver_is_left_out_with_a_warning(tmp_path: Path, case: Case) -> None:
    hu, affine = case.volumes["nc"]
    noise = np.random.default_rng(0).normal(0, 5, hu.shape)
    other = case._replace(volumes={**case.volumes, "nc": Volume(np.full(hu.shape, -100.0) + noise, affine)})
    choice = chosen(write_study(tmp_path, other, WORDS))
    assert set(choice.phases) == {"arterial", "venous", "delayed"}
    assert choice.warnings == ["no nc phase: series 3 (Abd nativ 3.0) was left out, shows no liver"]


def test_wrong_words_are_overruled_by_the_image_with_a_warning(tmp_path: Path, case: Case) -> None:
    turned = dict(zip(PHASES, reversed(WORDS.values()), strict=True))
    choice = chosen(write_study(tmp_path, case, turned))
    assert numbers(choice) == TRUE
    assert sum("check it" in warning and "description" in warning for warning in choice.warnings) == 4


def test_patients_whose_ids_differ_in_signs_that_files_cannot_have_get_different_names() -> None:
    studies = [
        Study(patient, "1.2", "", ()) for patient in ("a/b", "a_b", "a\\b", "x" * 65, "x" * 66, "P-1.2")
    ]
    names = [make_case_id(study) for study in studies]
    assert names[1] == "a_b" and names[5] == "P-1.2"
    assert len(set(names)) == len(names) and all(len(name) <= 64 for name in names)
    assert all(set(name).isdisjoint("/\\") for name in names)
