from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.bundle import run

from scripts.lidia.phantom.fingerprint import RECIPE_HASH, recipe_hash
from scripts.lidia.phantom.write_cohort import as_triple, split_cases, write_cohort

TINY = {"spacing": (8.0, 8.0, 8.0), "fov": (340.0, 250.0, 160.0)}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_recipe_is_the_one_that_was_committed() -> None:
    assert recipe_hash() == RECIPE_HASH, "images changed: measure difficulty and every result again"


def test_split_in_the_papers_proportions() -> None:
    assert {name: len(part) for name, part in split_cases(1921).items()} == {
        "training": 1305,
        "validation": 298,
        "test": 318,
    }
    assert {name: len(part) for name, part in split_cases(1).items()} == {
        "training": 0,
        "validation": 0,
        "test": 1,
    }
    for cases in (2, 7, 24, 800):
        assert sorted(i for part in split_cases(cases).values() for i in part) == list(range(cases))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = write_cohort(dataset_dir=tmp_path, cases=2, seed=4, **TINY)
    datalist = json.loads(path.read_text())
    assert datalist["cohort"] == "internal" and datalist["seed"] == 4 and datalist["recipe"] == RECIPE_HASH
    items = [item for part in ("training", "validation", "test") for item in datalist[part]]
    assert len(items) == 2
    for item in items:
        venous = nib.load(tmp_path / item["phases"]["venous"])
        for key in ("label", "liver", "instances"):
            truth = nib.load(tmp_path / item[key])
            assert truth.shape == venous.shape
            assert np.array_equal(truth.affine, venous.affine)
        assert venous.get_data_dtype() == np.int16
        assert np.asarray(venous.dataobj).min() >= -1024
        numbers = set(np.unique(np.asarray(nib.load(tmp_path / item["instances"]).dataobj))) - {0}
        assert numbers == {lesion["instance"] for lesion in item["lesions"]}
        assert set(item["malignant"]) <= {str(number) for number in numbers}
    assert not list(tmp_path.rglob(".*")), "nothing half written is left"


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        write_cohort(dataset_dir=tmp_path / name, cases=3, seed=1, workers=workers, **TINY)
    first = digests(tmp_path / "one")
    assert first == digests(tmp_path / "two")
    assert len(first) > 3 * 6


def test_a_case_does_not_depend_on_how_many_there_are(tmp_path: Path) -> None:
    write_cohort(dataset_dir=tmp_path / "a", cases=1, seed=1, **TINY)
    write_cohort(dataset_dir=tmp_path / "b", cases=2, seed=1, **TINY)
    several = digests(tmp_path / "b")
    assert all(
        several[name] == value for name, value in digests(tmp_path / "a").items() if name != "dataset.json"
    )


@pytest.mark.filterwarnings("ignore:parsing config_file")
def test_the_config_writes_a_cohort(tmp_path: Path, bundle: Path) -> None:
    options = {"cases": 1, "cohort": "external", "spacing": [9, 9, 9], "seed": 3, "section": "validation"}
    run(config_file=str(bundle / "configs/phantom.json"), dataset_dir=str(tmp_path / "there"), **options)
    datalist = json.loads((tmp_path / "there/dataset.json").read_text())
    assert datalist["cohort"] == "external"
    assert [item["id"] for item in datalist["validation"]] == ["external_3_00000"]


@pytest.mark.parametrize(
    "wrong", [{"cases": 0}, {"cohort": "lunar"}, {"section": "exam"}, {"spacing": (1, 2)}, {"fov": -5}]
)
def test_wrong_arguments_are_named(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        write_cohort(dataset_dir=tmp_path, **({"cases": 1} | wrong))


def test_one_number_serves_three_axes() -> None:
    assert as_triple(2, "spacing", None) == (2.0, 2.0, 2.0)
    assert as_triple(None, "spacing", (1.0, 1.0, 1.0)) == (1.0, 1.0, 1.0)
