"""Files are complete or absent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lidia.atomic import (
    HOST,
    MARK,
    remove_stale_files,
    remove_temporary_files,
    write_atomically,
    write_json,
    write_text,
)

KILLED = """
import os, runpy, sys
write_atomically = runpy.run_path(sys.argv[2])["write_atomically"]
with write_atomically(sys.argv[1]) as beside:
    beside.write_bytes(b"half of the n")
    os.kill(os.getpid(), 9)
"""


def test_a_kill_while_writing_leaves_the_old_file(tmp_path: Path, bundle: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"the old one")
    writer = bundle / "scripts/lidia/atomic.py"
    process = subprocess.run([sys.executable, "-c", KILLED, str(path), str(writer)], check=False)
    assert process.returncode == -9
    assert path.read_bytes() == b"the old one"
    assert len(list(tmp_path.iterdir())) == 2
    remove_stale_files(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_sweeping_spares_a_writer_that_still_runs(tmp_path: Path) -> None:
    writing = tmp_path / f"{MARK}{os.getpid()}@{HOST}-a.json"
    writing.touch()
    remove_stale_files(tmp_path)
    assert list(tmp_path.iterdir()) == [writing]


def test_sweeping_spares_the_processes_of_other_machines(tmp_path: Path) -> None:
    """Machines that share a folder cannot see one another's processes."""
    writing = tmp_path / f"{MARK}{2**22 + 1}@00000000-a.json"  # no such process here
    writing.touch()
    remove_stale_files(tmp_path)
    assert list(tmp_path.iterdir()) == [writing]
    others = tmp_path / f"{MARK}7@00000000-other-a.json"
    others.touch()
    remove_temporary_files(tmp_path, ["a.json"])
    assert list(tmp_path.iterdir()) == [others]
    remove_temporary_files(tmp_path / "missing", ["a.json"])


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="full"), write_atomically(tmp_path / "a.nii.gz") as beside:
        assert beside.name.endswith(".nii.gz")
        beside.write_text("half")
        raise RuntimeError("disk full")
    assert not list(tmp_path.iterdir())


def test_a_value_that_json_cannot_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "figures.json"
    write_json(path, {"Dice": 0.8})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"Dice": float("nan")})
    assert json.loads(path.read_text()) == {"Dice": 0.8}
    write_text(path, "else")
    assert path.read_text() == "else"


def test_a_name_that_is_no_utf8_is_written_and_read_back(tmp_path: Path) -> None:
    name = os.fsdecode(b"scan-\xff\xe9.nii.gz")
    write_json(tmp_path / "errors.json", [{"file": name, "of": "Müller"}])
    text = (tmp_path / "errors.json").read_text(encoding="utf-8")
    assert "Müller" in text
    assert json.loads(text) == [{"file": name, "of": "Müller"}]
