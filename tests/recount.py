"""Counts files again with the system's own tools after every reading of DICOM in any test."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.lidia.dicom.file_account import REASONS, Account


def files_below(folder: Path) -> set[tuple[str, str]]:
    """Names of all files as `find -L` sees them: a folder that two names lead to counts once."""
    process = subprocess.run(
        ["find", "-L", str(folder), "!", "-type", "d", "-print0"], capture_output=True, check=False
    )
    paths = [os.fsdecode(name) for name in process.stdout.split(b"\0") if name]
    return {(os.path.realpath(os.path.dirname(path)), os.path.basename(path)) for path in paths}


def check_account(account: Account, on_disk: int) -> None:
    """Holds that every file has one fate, and that the counts add up to what lies there."""
    assert set(account.fates) == set(account.names), "a file has no fate, or a fate no file"
    cases = {fate.case for fate in account.fates.values()}
    for summary in (account.summary(), *map(account.summary, cases)):
        used = sum(use["files"] for use in summary["uses"])
        remaining = sum(entry["files"] for entry in summary["reasons"])
        assert (used, remaining) == (summary["used"], summary["left_out"])
        assert used + remaining == summary["total"]
        assert {entry["reason"] for entry in summary["reasons"]} <= set(REASONS) - {"unknown"}
    assert sum(account.summary(case)["total"] for case in cases) == account.summary()["total"]
    unpacked = [path for path in account.names if account.temporary in {*path.parents}]
    assert len(account.names) - len(unpacked) == on_disk, f"{account.summary()} of {on_disk} files"


@pytest.fixture(autouse=True)
def _every_file_is_accounted_for(monkeypatch: pytest.MonkeyPatch) -> None:
    start, close = Account.__init__, Account.close
    counts: dict[int, int] = {}

    def started(self: Account, folder: str | Path, **options: Any) -> None:
        counts[id(self)] = len(files_below(Path(folder)))
        start(self, folder, **options)

    def closed(self: Account, *arguments: Any) -> None:
        close(self, *arguments)
        check_account(self, counts[id(self)])

    monkeypatch.setattr(Account, "__init__", started)
    monkeypatch.setattr(Account, "close", closed)
