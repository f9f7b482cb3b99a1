"""Fixtures of all tests: one thread, a fixed seed, no network, a small phantom cohort, the order of files."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import pytest
import torch
from config_names import read
from monai.utils import set_determinism
from recount import _every_file_is_accounted_for  # noqa: F401

if TYPE_CHECKING:
    from scripts.lidia.net.lidia import LIDIA

torch.set_num_threads(1)


def pytest_configure(config: pytest.Config) -> None:
    """Keeps the order of files under pytest-xdist, which would start files with few tests last."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests of real CT as `real`; puts files with slow tests first, so that none runs last."""
    for item in items:
        if "real_ct" in getattr(item, "fixturenames", ()):
            item.add_marker("real")
    slow_files = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow_files)


@pytest.fixture(autouse=True)
def _same_numbers_every_time() -> Iterator[None]:
    """Gives a test the same random numbers whether it runs alone or after others."""
    set_determinism(0)
    yield
    set_determinism(None)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids connections to other machines: the test that tries one fails."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: object) -> None:
        internet = self.family in (socket.AF_INET, socket.AF_INET6)
        if internet and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The bundle's folder."""
    return Path(__file__).parents[1] / "lidia_bundle"


@pytest.fixture(scope="module")
def network(bundle: Path) -> LIDIA:
    """The network of inference.json with the shipped weights."""
    from scripts.lidia.net.build_lidia import build_lidia
    from scripts.lidia.runtime.weights import load_weights

    options = read(bundle / "configs/inference.json")["network_def"]
    network = build_lidia(**{key: value for key, value in options.items() if not key.startswith("_")}).eval()
    load_weights(network, bundle / "models/model.pt")
    return network


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of six coarse phantom patients over all three sections; never write there."""
    from scripts.lidia.phantom.write_cohort import write_cohort

    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(dataset_dir=str(folder), cases=6, seed=7, spacing=(4.0, 4.0, 5.0))
    return folder


@pytest.fixture(scope="session")
def real_ct() -> Path:
    """Folder of real CT series; the test is skipped where LIDIA_REAL_CT names none."""
    folder = os.environ.get("LIDIA_REAL_CT", "")
    if not folder:
        pytest.skip("LIDIA_REAL_CT names no folder of real CT")
    assert Path(folder).is_dir(), f"LIDIA_REAL_CT={folder} is not a folder"
    return Path(folder)
