"""Building the objects of a config reads no data and writes nothing; the run does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from monai.bundle import create_workflow

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.deferred_list import DeferredList
from scripts.lidia.runtime.distributed import RankSampler

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

CONFIGS = Path(__file__).parents[2] / "lidia_bundle/configs"
OBJECTS = {
    "train": ["train::trainer", "train::dataset", "train::dataset::data", "validate::evaluator"],
    "evaluate": ["evaluator", "dataset", "dataset::data", "scores"],
    "inference": ["evaluator", "dataset", "dataset::data"],
    "phantom": ["written", "implanted"],
    "prepare": ["prepared"],
    "check": ["checked", "listed"],
    "report": ["report"],
    "follow": ["followed", "settings"],
}
OPENED: list[str] | None = None
ACTIONS = ("open", "os.mkdir", "os.listdir", "os.scandir", "os.rename", "os.remove")


def record_path(action: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook, which Python cannot remove."""
    if OPENED is not None and action in ACTIONS:
        OPENED.append(str(arguments[0]))


sys.addaudithook(record_path)


@contextmanager
def record_paths(*folders: Path) -> Iterator[list[str]]:
    """Collects the paths below the folders that are opened, listed or created."""
    global OPENED
    OPENED = opened = []
    paths: list[str] = []
    try:
        yield paths
    finally:
        OPENED = None
        paths += [path for path in opened if any(str(folder) in path for folder in folders)]


def build(name: str, folder: Path, **options: Any) -> Any:
    """A workflow with all its objects; data and results would be in `folder`."""
    options = {"dataset_dir": str(folder / "missing"), **options}
    if name not in ("phantom", "prepare"):
        options |= {"output_dir": str(folder / "out")}
    if name == "train":
        options |= {"cache_dir": str(folder / "cache"), "device": "cpu"}
    kind = {"train": "train", "evaluate": "evaluation", "inference": "inference"}.get(name)
    flow = create_workflow(
        config_file=str(CONFIGS / f"{name}.json"), workflow_type=kind, logging_file=False, **options
    )
    for key in OBJECTS[name]:
        flow.parser.get_parsed_content(key)
    if kind is not None:
        flow.check_properties()
    return flow


@pytest.mark.parametrize("name", OBJECTS)
def test_building_reads_no_data_and_writes_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with record_paths(tmp_path, CONFIGS.parent / "models") as paths:
        build(name, tmp_path)
    assert paths == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["train", "evaluate", "inference"])
def test_the_run_reports_a_missing_data_set_and_writes_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flow = build(name, tmp_path)
    with pytest.raises(RuntimeError) as raised:
        flow.run()
    fault = CaseError.find(raised.value)
    assert fault is not None and fault.code == "missing"
    assert fault.file == str(tmp_path / "missing/dataset.json")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_study_is_an_error_of_the_run(tmp_path: Path) -> None:
    flow = build("inference", tmp_path, dicom_dir=str(tmp_path / "study"))
    with pytest.raises(RuntimeError) as raised:
        flow.run()
    fault = CaseError.find(raised.value)
    assert fault is not None and str(tmp_path / "study") in str(fault)


def test_processes_share_patients_without_reading_them() -> None:
    read: list[int] = []

    def read_items() -> list[dict[str, Any]]:
        read.append(1)
        return [{"id": str(number)} for number in range(5)]

    items = DeferredList(read_items)
    samplers = [RankSampler(items, rank, 2) for rank in (0, 1)]
    assert read == []
    assert [list(sampler) for sampler in samplers] == [[0, 2, 4], [1, 3]]
    assert [len(sampler) for sampler in samplers] == [3, 2] and read == [1]


def test_a_training_with_a_bad_validation_list_ends_before_the_first_step(
    tmp_path: Path, cohort: Path
) -> None:
    flow = build("train", tmp_path, dataset_dir=str(cohort), **{"validate#dataset#data#section": "none"})
    with pytest.raises(RuntimeError) as raised:
        flow.run()
    fault = CaseError.find(raised.value)
    assert fault is not None and fault.code == "no_section"
    assert list(tmp_path.iterdir()) == []
