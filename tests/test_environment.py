"""Errors of PyTorch and the system that the machine causes, and their explanation."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from scripts.lidia.environment import explain_error


class Starved(Dataset):
    """A worker dies of SIGBUS, as one does that finds no room in /dev/shm."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        os.kill(os.getpid(), signal.SIGBUS)
        return index


def test_too_little_shared_memory() -> None:
    with pytest.raises(RuntimeError) as raised:
        list(DataLoader(Starved(), num_workers=1))
    line = explain_error(raised.value) or ""
    assert "--num_workers 0" in line and "--shm-size" in line and "\n" not in line


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there() -> None:
    for device in ("cuda:0", "mps"):
        with pytest.raises((RuntimeError, AssertionError)) as raised:
            torch.nn.Linear(1, 1).to(device)
        assert "--device cpu" in (explain_error(raised.value) or "")


def test_permissions_and_disk_space(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError) as raised:
        (tmp_path / "file/sub").mkdir()
    assert str(tmp_path / "file") in (explain_error(raised.value) or "")
    for number, word in ((errno.ENOSPC, "disk"), (errno.EROFS, "permissions"), (errno.EACCES, "permissions")):
        inner = OSError(number, os.strerror(number), "x/y.json")
        outer = RuntimeError("Failed to evaluate ConfigExpression")
        outer.__cause__ = inner
        line = explain_error(outer) or ""
        assert "x/y.json" in line and word in line and "--output_dir" in line
    with pytest.raises(OSError) as raised, Path("/dev/full").open("w") as full:
        full.write("x")
        full.flush()
    assert "disk" in (explain_error(raised.value) or "")


def test_other_errors_are_not_explained_away() -> None:
    for other in (ValueError("device"), KeyError("x"), FileNotFoundError(errno.ENOENT, "No such file", "x")):
        assert explain_error(other) is None
