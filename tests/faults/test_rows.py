"""Every bad input of the table, by check.json, by inference.json and by the list and loader of train.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from faults.bad_files import Row, write_list
from faults.spoiling import Item, good
from monai.bundle import ConfigParser, create_workflow
from test_configs import reason
from training.toys import save_network

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.inference.case_evaluator import CohortError

pytestmark = [
    pytest.mark.filterwarnings("ignore:parsing config_file"),
    pytest.mark.filterwarnings("ignore:invalid value encountered"),
]

CONFIGS = Path(__file__).parents[2] / "lidia_bundle/configs"
Cohort = tuple[Path, list[tuple[Row, Item]]]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Folder with a list of one good patient among all the bad ones; and these."""
    folder = tmp_path_factory.mktemp("rows")
    rows = write_list(folder)
    items = [*(item for _, item in rows), {"id": "good", **good(folder / "good")}]
    (folder / "dataset.json").write_text(json.dumps({"training": items}))
    return folder, rows


def read_error_codes(path: Path) -> dict[str, set[str]]:
    """Codes of errors (not of warnings) by patient, each with file, problem and remedy."""
    found: dict[str, set[str]] = {}
    for fault in json.loads((path / "errors.json").read_text()):
        assert fault["problem"] and (fault["severity"] == "warning" or (fault["file"] and fault["remedy"]))
        if fault["severity"] == "error":
            found.setdefault(fault["case"], set()).add(fault["code"])
    return found


def test_check_reports_all_faults_in_one_pass(cohort: Cohort, tmp_path: Path) -> None:
    folder, rows = cohort
    parser = ConfigParser()
    parser.read_config(CONFIGS / "check.json")
    parser.config.update({"bundle_root": str(CONFIGS.parent), "dataset_dir": str(folder)})
    parser.config.update({"output_dir": str(tmp_path), "workers": 0})
    with pytest.raises(RuntimeError) as caught:
        parser.get_parsed_content("run")
    assert isinstance(reason(caught.value), CaseError)
    result = read_error_codes(tmp_path)
    remarks: dict[str, set[str]] = {}
    for fault in json.loads((tmp_path / "errors.json").read_text()):
        remarks.setdefault(fault["case"], set()).add(fault["code"])
    for row, item in rows:
        codes = result.pop(item["id"], set())
        assert codes == ({row.code} if row.code else set()), f"row {row.number}, {row.name}: {codes}"
        if row.remark:
            assert row.remark in remarks[item["id"]], f"row {row.number}, {row.name}"
    assert not result, "the good patient has no fault"
    assert (tmp_path / "check.html").is_file() and (tmp_path / "summary.json").is_file()


def test_inference_finishes_good_cases_and_lists_bad_ones(cohort: Cohort, tmp_path: Path) -> None:
    folder, rows = cohort
    weights = save_network(tmp_path / "model.pt")
    workflow = create_workflow(
        config_file=str(CONFIGS / "inference.json"),
        workflow_type="infer",
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        dataset_dir=str(folder),
        section="training",
        output_dir=str(tmp_path / "out"),
        model_file=weights,
        pages=False,
        dicom=False,
        spacing=[5.0, 5.0, 5.0],
        roi_size=[32, 32, 32],
        device="$torch.device('cpu')",
        **{"network_def#channels": [8, 8, 8, 8]},
    )
    workflow.initialize()
    with pytest.raises(RuntimeError) as caught:
        workflow.run()
    assert isinstance(reason(caught.value), CohortError)
    result = read_error_codes(tmp_path / "out")
    finished = {path.stem for path in (tmp_path / "out").glob("*.json")} - {"errors"}
    for row, item in rows:
        bad = row.code is not None and not row.by_label
        assert (item["id"] in finished) != bad, f"row {row.number}, {row.name}"
        assert result.pop(item["id"], set()) == ({row.code} if bad else set()), (
            f"row {row.number}, {row.name}"
        )
    assert "good" in finished and not result
    torn = [path for path in (tmp_path / "out").iterdir() if path.name.split(".")[0] in result]
    assert not torn, "nothing half-written stays behind"


def test_training_names_every_bad_header_before_it_starts(cohort: Cohort) -> None:
    folder, rows = cohort
    with pytest.raises(CaseError) as caught:
        load_datalist(folder, "training")
    named = {fault.case: fault.code for fault in caught.value.members}
    headers = {
        *("empty_file", "not_nifti", "wrong_ending", "no_orientation", "bad_affine", "two_forms"),
        *("bad_spacing", "not_3d", "too_flat", "bad_dtype", "missing"),
    }
    for row, item in rows:
        if row.code in headers and not Path(item["phases"]["venous"]).is_dir():
            assert named.pop(item["id"]) == row.code, f"row {row.number}, {row.name}"
    assert not named


def test_training_stops_at_bad_voxels_with_their_file(cohort: Cohort, tmp_path: Path) -> None:
    folder, rows = cohort
    parser = ConfigParser()
    parser.read_config(CONFIGS / "train.json")
    bad = [(row, item) for row, item in rows if row.code is not None]
    visible = {"bundle_root": str(CONFIGS.parent), "cache_dir": str(tmp_path / "cache")}
    parser.config.update({**visible, "spacing": [5.0, 5.0, 5.0]})
    parser["train#dataset#data"] = [item for _, item in bad]
    cases: Any = parser.get_parsed_content("train#dataset")
    for at, (row, item) in enumerate(bad):
        with pytest.raises(CaseError) as caught:
            cases[at]
        expected = "no_label" if "label" not in item and row.number != 55 else row.code
        assert caught.value.code in (row.code, expected), f"row {row.number}, {row.name}: {caught.value.code}"
        assert caught.value.case == item["id"]
    assert not list((tmp_path / "cache").rglob("*")), "nothing of a bad patient is kept"
