"""A cohort registered beforehand: for training, and resumable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.prepare.prepare_data import prepare
from scripts.lidia.prepare.register_cohort import find_annotated_phase
from scripts.lidia.registration import register_case, select_transform


@pytest.fixture
def registered_methods(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A registration that moves everything by 3 mm to the head; every call is counted."""
    calls: list[str] = []

    def found(target: select_transform.Target, *_: Any, method: str, **__: Any) -> select_transform.Alignment:
        calls.append(method)
        field = np.zeros((3, *target.lattice.shape), np.float32)
        field[2] = 3
        return select_transform.Alignment(method, field, 0.1, 0.2, "a test's")

    monkeypatch.setattr(register_case, "align_pair", found)
    return calls


def test_a_cohort_is_registered_once(cohort: Path, tmp_path: Path, registered_methods: list[str]) -> None:
    written = prepare(source="register", input_dir=cohort, dataset_dir=tmp_path / "out")
    before = json.loads((cohort / "dataset.json").read_text())
    after = json.loads(written.read_text())
    pairs = 0
    for section in ("training", "validation", "test"):
        assert [item["id"] for item in after[section]] == [item["id"] for item in before[section]]
        for item, old in zip(after[section], before[section], strict=True):
            shifted = set(item["phases"]) - {"venous"}
            pairs += len(shifted)
            assert set(item["phases"]) == set(old["phases"])
            assert set(item["notes"]["registration"]) == shifted
            assert all(item["phases"][phase] == f"phases/{item['id']}/{phase}.nii.gz" for phase in shifted)
            assert item["lesions"] == old["lesions"]
    assert pairs == len(registered_methods) > 6
    assert prepare(source="register", input_dir=cohort, dataset_dir=tmp_path / "out") == written
    assert len(registered_methods) == pairs, "nothing is done twice"
    loaded = preprocessing(labels="network", spacing=(4.0, 4.0, 5.0))(
        load_datalist(tmp_path / "out", "training")[0]
    )
    assert loaded["image"].shape[0] == 4 and loaded["label"].shape[0] == 2


def test_other_settings_do_not_mix_in_one_folder(
    cohort: Path, tmp_path: Path, registered_methods: list[str]
) -> None:
    prepare(source="register", input_dir=cohort, dataset_dir=tmp_path / "out")
    with pytest.raises(CaseError) as caught:
        prepare(source="register", input_dir=cohort, dataset_dir=tmp_path / "out", datalist="dataset.json")
    assert caught.value.code == "other_settings" and "'dataset.json'" in caught.value.problem


def test_the_good_cases_are_done_and_the_bad_one_is_named(
    cohort: Path, tmp_path: Path, registered_methods: list[str]
) -> None:
    content = json.loads((cohort / "dataset.json").read_text())
    items = [*content["training"][:2]]
    for item in items:
        item["phases"] = {phase: str(cohort / path) for phase, path in item["phases"].items()}
    bad = next(phase for phase in items[0]["phases"] if phase != "venous")
    items[0]["phases"][bad] = str(tmp_path / "gone.nii.gz")
    source = tmp_path / "list"
    source.mkdir()
    (source / "dataset.json").write_text(json.dumps({"training": [{**i, "label": None} for i in items]}))
    with pytest.raises(CaseError) as caught:
        prepare(source="register", input_dir=source, dataset_dir=tmp_path / "out")
    assert caught.value.code == "missing" and caught.value.file == str(tmp_path / "gone.nii.gz")
    assert not (tmp_path / "out/dataset.json").exists()
    faults = json.loads((tmp_path / "out/errors.json").read_text())
    assert [fault["case"] for fault in faults] == [items[0]["id"]]
    assert list((tmp_path / f"out/phases/{items[1]['id']}").glob("*.nii.gz"))


def test_without_a_venous_phase_the_one_that_was_drawn_on_stays(tmp_path: Path) -> None:
    for name, size in (("delayed", 3.0), ("arterial", 2.0), ("label", 2.0)):
        affine = np.diag([size, size, size, 1.0])
        nib.save(nib.Nifti1Image(np.zeros((20, 20, 20), np.int16), affine), tmp_path / f"{name}.nii")
    files = {name: str(tmp_path / f"{name}.nii") for name in ("delayed", "arterial", "label")}
    item = {"id": "P", "phases": {name: files[name] for name in ("arterial", "delayed")}}
    assert find_annotated_phase(item) is None
    assert find_annotated_phase({**item, "label": files["label"]}) == "arterial"
    assert (
        find_annotated_phase({**item, "label": files["label"], "phases": {"venous": files["delayed"]}})
        is None
    )
