"""Independent processes share a cohort: each patient once, a killed part is taken up again, one table."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from kills.killing import files, times
from test_configs import CONFIGS, NATIVE, reason, workflow
from training.toys import write_toys

import scripts.lidia.atomic
import scripts.lidia.inference.result_files
from scripts.lidia.inference.case_evaluator import CohortError
from scripts.lidia.inference.cohort_dataset import CohortDataset
from scripts.lidia.inference.shards import take_part
from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.report.flat_rows import flatten
from scripts.lidia.report.result_tables import write_result_tables
from scripts.lidia.vocabulary import LIVER

# MONAI's word of caution about foreign configs; these are our own.
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file", "ignore:This process .* multi-threaded")

PATIENTS = [f"toy_0{number}" for number in range(2, 9)]


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def infer(options: dict[str, Any], rank: int, killed_at: str = "") -> None:
    """Runs one part; it is killed in the middle of the summary of one patient."""

    def kill_while_writing(path: Path, content: Any) -> None:
        with scripts.lidia.atomic.write_atomically(path) as temporary:
            temporary.write_text("{", encoding="utf-8")
            if path.stem == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)
        scripts.lidia.atomic.write_json(path, content)

    if killed_at:
        scripts.lidia.inference.result_files.write_json = kill_while_writing
    workflow("inference", **options, rank=rank, world_size=3, skip_existing=True).run()


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven patients, one of whom cannot be read."""
    folder = write_toys(tmp_path_factory.mktemp("toys"), training=1, validation=1, test=7)
    torn = folder / "7_venous.nii.gz"
    torn.write_bytes(torn.read_bytes()[:2000])
    return folder


@pytest.fixture(scope="module")
def options(toys: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    torch.manual_seed(3)
    network = build_lidia(channels=(8, 8, 8, 8), semantic_share=0.7)
    network.state_dict()["semantic_head.classify.1.bias"][LIVER] = 3.0  # without a liver all scores were 0
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    torch.save(network.state_dict(), path)
    return {**NATIVE, "dataset_dir": str(toys), "model_file": str(path), "pages": False}


@pytest.fixture(scope="module")
def parts(toys: Path, options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of three processes that ran at the same time into one folder; the second was restarted."""
    folder = tmp_path_factory.mktemp("parts")
    options = {**options, "output_dir": str(folder)}
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=infer, args=(options, n, "toy_06" * (n == 1))) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, -signal.SIGKILL, 1]
    assert (folder / "toy_03.json").is_file() and not (folder / "toy_06.json").exists()
    assert list(folder.glob(".writing-*toy_06.json"))
    with pytest.raises(CohortError, match=r"2 failed or have no result: toy_06, toy_07"):
        write_result_tables(results=folder, output_dir=folder / "early", dataset_dir=toys)
    before = times(folder)
    restarted = context.Process(target=infer, args=(options, 1))
    restarted.start()
    restarted.join()
    assert restarted.exitcode == 0
    after = times(folder)
    assert {name for name in after if after[name] != before.get(name)} == {
        "errors_1-of-3.json",
        *(f"toy_06{end}" for end in (".json", "_instances.nii.gz", "_lesions.nii.gz", "_liver.nii.gz")),
    }
    return folder


@pytest.mark.slow
def test_three_processes_give_the_results_of_one(
    parts: Path, options: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError) as raised:
        workflow("inference", **options, output_dir=str(tmp_path)).run()
    assert "1 failed: toy_07" in str(reason(raised.value))
    expected = {name: digest for name, digest in files(tmp_path).items() if not name.startswith("errors")}
    shared = {n: d for n, d in files(parts).items() if not n.startswith(("errors", "early"))}
    assert shared == expected
    assert not list(parts.glob(".writing-*")), "nothing half-written stays behind"


@pytest.mark.slow
def test_one_command_merges_all_parts(parts: Path, toys: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as raised:
        from monai.bundle import run

        run(
            config_file=str(CONFIGS / "tables.json"),
            results=str(parts),
            output_dir=str(tmp_path),
            dataset_dir=str(toys),
        )
    assert "1 failed or have no result: toy_07" in str(reason(raised.value))
    patients = read_rows(tmp_path / "patients.csv")
    assert [row["id"] for row in patients] == [case for case in PATIENTS if case != "toy_07"]
    lesions = read_rows(tmp_path / "lesions.csv")
    for row in patients:
        result = json.loads((parts / f"{row['id']}.json").read_text(encoding="utf-8"))
        assert float(row["p_HCC"]) == pytest.approx(result["probabilities"]["HCC"], rel=1e-8)
        assert row["phases"] == "; ".join(result["phases_used"])
        numbers = [int(lesion["instance"]) for lesion in lesions if lesion["id"] == row["id"]]
        assert numbers == [lesion["instance"] for lesion in result["lesions"]]
        assert int(row["lesions"]) == len(numbers)
    (fault,) = json.loads((tmp_path / "errors.json").read_text(encoding="utf-8"))
    assert (fault["case"], fault["code"]) == ("toy_07", "truncated")


@pytest.mark.parametrize("count", [1, 3, 7, 12])
def test_each_patient_belongs_to_one_part(count: int) -> None:
    parts = [take_part(PATIENTS, rank, count) for rank in range(count)]
    assert sorted(case for part in parts for case in part) == PATIENTS
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(("rank", "world_size"), [(3, 3), (-1, 3), (1, 1)])
def test_a_part_that_does_not_exist_is_refused(rank: int, world_size: int) -> None:
    with pytest.raises(ValueError, match=rf"--rank {rank} --world_size {world_size}.*0"):
        CohortDataset([], lambda item: item, rank=rank, world_size=world_size)


def write_result(folder: Path, case: str, **content: Any) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("lesions", "instances", "liver"):
        (folder / f"{case}_{name}.nii.gz").touch()
    record = {"id": case, "lesions": [], "warnings": [], **content}
    (folder / f"{case}.json").write_text(json.dumps(record), encoding="utf-8")


def test_parts_in_folders_of_their_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_result(tmp_path / "a", "P1", versions={"weights_sha256": "1"})
    write_result(tmp_path / "b", "P2", versions={"weights_sha256": "2"})
    fault = {"case": "P2", "file": "", "severity": "error", "code": "x", "problem": "p", "remedy": "r"}
    old = tmp_path / "a/errors_0-of-2.json"
    old.write_text(json.dumps([fault]), encoding="utf-8")
    os.utime(old, (1, 1))  # P2 was completed afterwards
    folders = [tmp_path / "a", tmp_path / "b"]
    write_result_tables(results=folders, output_dir=tmp_path / "out")
    rows = read_rows(tmp_path / "out/patients.csv")
    assert [(row["id"], row["versions_weights_sha256"]) for row in rows] == [("P1", "1"), ("P2", "2")]
    assert "different versions" in caplog.text
    write_result(tmp_path / "b", "P1")
    with pytest.raises(ValueError, match=r"\[twice\] case P1"):
        write_result_tables(results=folders, output_dir=tmp_path / "out")


def test_tables_of_no_results_are_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(FileNotFoundError, match=str(folder)):
            write_result_tables(results=folder, output_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nested_values_become_columns() -> None:
    content = {"id": "P1", "a": {"b": {"c": 0.1, "d": None}}, "probabilities": {"HCC": 0.25}, "both": True}
    content |= {"intervals": {"HCC": [0.1, 0.3]}, "warnings": ["one", "two"], "rows": [{"x": 1}], "none": []}
    assert flatten(content) == {
        "id": "P1",
        "a_b_c": "0.1",
        "a_b_d": "",
        "p_HCC": "0.25",
        "both": "True",
        "intervals_HCC_1": "0.1",
        "intervals_HCC_2": "0.3",
        "warnings": "one; two",
        "none": "",
    }
