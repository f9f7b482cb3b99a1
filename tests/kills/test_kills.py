"""Killed at random moments: nothing half-written is read as whole, a rerun does what is missing and no more.

`LIDIA_KILLS=50 pytest tests/kills` kills each job fifty times.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from kills.killing import all_readable, files, moments, run, run_to_end, times
from test_configs import NATIVE, TRAINING, workflow
from training.toys import save_network, write_toys

from scripts.lidia.data.cache import CachedCases
from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.phantom.write_cohort import write_cohort
from scripts.lidia.prepare.prepare_data import prepare
from scripts.lidia.runtime.weights import read_state

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toys(tmp_path_factory.mktemp("toys"), training=3, validation=2, test=4)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_network(tmp_path_factory.mktemp("weights") / "model.pt")


def test_killed_inference_is_completed_by_a_rerun(toys: Path, weights: str, tmp_path: Path) -> None:
    def job(folder: Path) -> Callable[[], Any]:
        options = {"dataset_dir": str(toys), "output_dir": str(folder), "model_file": weights}
        return lambda: workflow("inference", **NATIVE, **options, skip_existing=True).run()

    complete, broken = moments(job, tmp_path, "results")
    reference = files(complete)
    assert sum(name.endswith(".json") for name in reference) == 4 + 1
    for folder, after in broken:
        run(job(folder), after=after)
        all_readable(folder, reference)
        # A patient is finished when the page exists, which is written last
        finished = {path.stem for path in folder.glob("toy_*.html")}
        before = {name: when for name, when in times(folder).items() if name.split(".")[0] in finished}
        assert run(job(folder)) == 0
        result = files(folder)
        differing = [name for name in {*result, *reference} if result.get(name) != reference.get(name)]
        assert differing == []
        after_rerun = times(folder)
        repeated = [name for name, when in before.items() if after_rerun[name] != when and "html" not in name]
        assert not repeated, "a finished patient is not repeated"


def test_killed_training_resumes_to_the_same_bits(toys: Path, tmp_path: Path) -> None:
    options = {**TRAINING, "dataset_dir": str(toys), "max_epochs": 3}

    def job(folder: Path) -> Callable[[], Any]:
        places = {"output_dir": str(folder), "cache_dir": str(folder / "cache")}
        return lambda: workflow("train", **options, **places).run()

    complete, broken = moments(job, tmp_path, "training")
    reference = read_state(complete / "model.pt")
    for folder, after in broken:
        run(job(folder), after=after)
        for name in files(folder):
            if name.endswith(".pt"):
                read_state(folder / name)
        assert run(job(folder)) == 0
        result = read_state(folder / "model.pt")
        assert result.keys() == reference.keys()
        for name, value in reference.items():
            assert torch.equal(result[name], value), f"{name} differs after a resume"


def test_a_killed_write_of_the_cache_is_never_read(toys: Path, tmp_path: Path) -> None:
    items = load_datalist(toys, "training")

    def job(folder: Path) -> Callable[[], Any]:
        def prepare_all() -> None:
            cases = CachedCases(data=items, transform=preprocessing(labels="network"), cache_dir=folder)
            for number in range(len(items)):
                cases[number]

        return prepare_all

    complete, broken = moments(job, tmp_path, "cache")
    for folder, after in broken:
        run(job(folder), after=after)
        for name in files(folder):
            if name.endswith(".pt"):
                read_state(folder / name)
        before = times(folder)
        assert run(job(folder)) == 0
        assert files(folder).keys() == files(complete).keys()
        assert {name: when for name, when in times(folder).items() if name in before and ".pt" in name} == {
            name: when for name, when in before.items() if ".pt" in name
        }


def test_killed_phantom_generation_is_completed_by_a_rerun(tmp_path: Path) -> None:
    def job(folder: Path) -> Callable[[], Any]:
        return lambda: write_cohort(dataset_dir=folder, cases=3, spacing=6.0)

    complete, broken = moments(job, tmp_path, "phantoms")
    reference = files(complete)
    assert not (complete / ".cases").exists()
    for folder, after in broken:
        run(job(folder), after=after)
        all_readable(folder, reference)
        notes = [path.stem for path in (folder / ".cases").glob("[0-9]*.json")]  # none half-written
        before = times(folder)
        assert run(job(folder)) == 0
        assert files(folder) == reference
        remaining = [name for name in before if any(f"_{int(number):05d}" in name for number in notes)]
        assert all(times(folder)[name] == before[name] for name in remaining), "finished patients stay"


def test_unfinished_phantoms_of_other_options_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".cases").mkdir()
    (tmp_path / ".cases/asked.json").write_text('{"seed": 1}')
    (tmp_path / ".cases/0.json").write_text('{"id": "another"}')
    write_cohort(dataset_dir=tmp_path, cases=1, spacing=8.0)
    assert "another" not in (tmp_path / "dataset.json").read_text()


def test_killed_preparation_is_completed_by_a_rerun(toys: Path, tmp_path: Path) -> None:
    def job(folder: Path) -> Callable[[], Any]:
        place = folder / "Dataset501_LIDIA"
        return lambda: prepare(source="to_nnunet", input_dir=str(toys), dataset_dir=str(place))

    complete, broken = moments(job, tmp_path, "preparing")
    reference = files(complete)
    for folder, after in broken:
        run(job(folder), after=after)
        for path in folder.rglob("*.nii.gz"):
            if not path.name.startswith("."):
                np.asarray(nib.load(path).dataobj)
        assert run(job(folder)) == 0
        assert files(folder).keys() == reference.keys()
        same = [name for name in reference if name.endswith(".nii.gz")]
        assert all(files(folder)[name] == reference[name] for name in same)


@pytest.mark.parametrize("largest", [300, 40])
def test_a_full_disk_is_reported_and_leaves_no_partial_file(
    toys: Path, weights: str, tmp_path: Path, largest: int
) -> None:
    """The first limit stops volumes and answers, the second even the list of errors."""
    out = tmp_path / "out"
    options = {"dataset_dir": str(toys), "output_dir": str(out), "model_file": weights, "pages": False}
    status, output = run_to_end(lambda: workflow("inference", **NATIVE, **options).run(), largest=largest)
    assert status == 1 and "File too large" in output
    remaining = files(out, hidden=True) if out.exists() else {}
    assert not [name for name in remaining if ".writing-" in name], "nothing half-written stays behind"
    for path in out.glob("*.nii.gz"):
        np.asarray(nib.load(path).dataobj)
    assert not list(out.glob("toy_*.json")), "nobody is called done"
    assert status == 1


def test_a_read_only_folder_is_reported(toys: Path, weights: str) -> None:
    options = {"dataset_dir": str(toys), "output_dir": "/proc/lidia", "model_file": weights}
    status, output = run_to_end(lambda: workflow("inference", **NATIVE, **options, pages=False).run())
    assert status == 1 and "/proc/lidia" in output
