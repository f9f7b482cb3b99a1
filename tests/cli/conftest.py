"""The command `lidia` in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from preloaded import run_preloaded

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lidia(bundle: Path, tmp_path: Path) -> Run:
    """Runs a command line in an empty folder."""
    work = tmp_path / "work"
    work.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(bundle / "scripts/lidia/cli/entry.py"), *map(str, words)]
        return run_preloaded(command, cwd=work, env=environment)

    return run
