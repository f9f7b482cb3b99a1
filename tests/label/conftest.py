"""A real MONAI Label server on a small phantom study, started as a user starts it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from label.serving import PYTHON, Server


@pytest.fixture(scope="session")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of four coarse phantom patients with their labels; never write there."""
    from scripts.lidia.phantom.write_cohort import write_cohort

    folder = tmp_path_factory.mktemp("label_truth")
    write_cohort(dataset_dir=str(folder), cases=4, seed=5, spacing=(4.0, 4.0, 4.0), section="training")
    return folder


@pytest.fixture(scope="session")
def patients(truth: Path) -> list[str]:
    """Ids of the patients in `truth`."""
    return sorted(path.name.removesuffix(".nii.gz") for path in truth.glob("*.nii.gz"))


def served(folder: Path, bundle: Path) -> Path:
    """Puts a copy of the bundle into a folder, and an empty study."""
    if not PYTHON.is_file():
        pytest.skip("the label server's environment is not installed: `make label-test` does it")
    shutil.copytree(bundle, folder / "lidia_bundle", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "study").mkdir()
    return folder


@contextmanager
def run_server(folder: Path, bundle: Path, truth: Path, patients: Sequence[str] = ()) -> Iterator[Server]:
    """A running server on a copy of the bundle; these patients of `truth` are in its study."""
    place = served(folder, bundle)
    shutil.copytree(truth / "phases", place / "study/phases")
    for patient in patients:
        shutil.copy(truth / f"{patient}.nii.gz", place / "study")
    running = Server(place)
    running.start()
    yield running
    running.end()


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, truth: Path, patients: list[str], bundle: Path
) -> Iterator[Server]:
    """A server on a copy of the bundle and on the patients of `truth`, none of them labelled."""
    with run_server(tmp_path_factory.mktemp("label"), bundle, truth) as running:
        # the order in which they come in decides who trains and who is validated on
        for number in (2, 3, 0, 1):
            running.upload(truth / f"{patients[number]}.nii.gz", patients[number])
        yield running
