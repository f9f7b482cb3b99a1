"""Folds: every patient once, types distributed evenly, equal for an equal seed."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from training.toys import write_toys

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.prepare.cross_validation import stratify
from scripts.lidia.prepare.prepare_data import prepare
from scripts.lidia.vocabulary import LESION_TYPES


def cohort(patients: int = 203) -> dict[str, set[str]]:
    draw = random.Random(1)
    weights = [30, 12, 25, 20, 6, 40, 5, 9]
    return {
        f"P{n:03d}": set(draw.choices(LESION_TYPES, weights, k=draw.randint(0, 3))) for n in range(patients)
    }


@pytest.mark.parametrize("folds", [2, 5])
def test_types_are_spread_evenly(folds: int) -> None:
    types = cohort()
    fold_of = stratify(types, folds, seed=0)
    assert set(fold_of) == set(types)
    sizes = [list(fold_of.values()).count(fold) for fold in range(folds)]
    assert max(sizes) - min(sizes) <= 2
    for kind in LESION_TYPES:
        contents = [sum(kind in types[p] for p, f in fold_of.items() if f == fold) for fold in range(folds)]
        assert max(contents) - min(contents) <= 2, kind


def test_one_type_a_patient_is_spread_perfectly() -> None:
    types = {f"P{n}": {LESION_TYPES[n % 3]} for n in range(30)}
    fold_of = stratify(types, 5, seed=3)
    for kind in LESION_TYPES[:3]:
        assert [sum(types[p] == {kind} and fold_of[p] == f for p in types) for f in range(5)] == [2] * 5


def test_the_seed_decides_and_the_order_of_the_list_does_not() -> None:
    types = cohort(60)
    turned = dict(reversed(types.items()))
    assert stratify(types, 5, 0) == stratify(turned, 5, 0)
    assert stratify(types, 5, 0) != stratify(types, 5, 1)


def test_lists_of_folds(tmp_path: Path) -> None:
    folder = write_toys(tmp_path, training=6, validation=2, test=1)
    content = json.loads((folder / "dataset.json").read_text())
    for item in content["training"][:3]:
        item["patient"] = "one"
    (folder / "dataset.json").write_text(json.dumps(content))
    prepare(source="folds", input_dir=folder, dataset_dir=folder, folds=3)
    recorded = []
    for fold in range(3):
        name = f"dataset_fold{fold}.json"
        parts = {s: load_datalist(folder, s, file=name) for s in ("training", "validation", "test")}
        ids = {section: [item["id"] for item in items] for section, items in parts.items()}
        assert (
            not set(ids["training"]) & set(ids["validation"])
            and len(ids["training"] + ids["validation"]) == 8
        )
        assert ids["test"] == ["toy_08"]
        together = {"toy_00", "toy_01", "toy_02"} & set(ids["validation"])
        assert len(together) in (0, 3), "scans of one patient stay together"
        recorded += ids["validation"]
        text = json.loads((folder / name).read_text())["test"][0]["label"]
        assert not Path(text).is_absolute(), "the folder can be moved"
    assert sorted(recorded) == [f"toy_{n:02d}" for n in range(8)]
    before = (folder / "dataset_fold1.json").read_bytes()
    prepare(source="folds", input_dir=folder, dataset_dir=folder, folds=2)
    assert not (folder / "dataset_fold2.json").exists(), "no mixture of two splits is left"
    prepare(source="folds", input_dir=folder, dataset_dir=folder, folds=3)
    assert (folder / "dataset_fold1.json").read_bytes() == before


@pytest.mark.parametrize("folds", [None, 1, 9])
def test_too_few_patients(tmp_path: Path, folds: int | None) -> None:
    write_toys(tmp_path, training=2, validation=1, test=0)
    with pytest.raises(CaseError) as caught:
        prepare(source="folds", input_dir=tmp_path, dataset_dir=tmp_path, folds=folds)
    assert caught.value.code == "bad_folds" and f"{folds or 0} folds of 3 patients" in caught.value.problem
