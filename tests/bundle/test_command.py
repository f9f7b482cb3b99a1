"""What `python -m monai.bundle run` prints when it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_failed_command_prints_only_the_reason(bundle: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monai.bundle", "run", "evaluating", "--config_file"]
    command += [str(bundle / "configs/inference.json"), "--dataset_dir", str(tmp_path)]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    last = process.stderr.strip().splitlines()[-3:]
    assert last[0].startswith("CaseError"), process.stderr[-500:]
    assert "--dataset_dir" in last[2]


@pytest.mark.parametrize(("setting", "remaining"), [(None, "1"), ("0", "0")])
def test_large_pages_are_enabled_unless_the_user_sets_the_variable(
    bundle: Path, setting: str | None, remaining: str
) -> None:
    places = {name: value for name, value in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
    places |= {} if setting is None else {"THP_MEM_ALLOC_ENABLE": setting}
    code = "import os, runpy, sys; runpy.run_path(sys.argv[1]); print(os.environ['THP_MEM_ALLOC_ENABLE'])"
    command = [sys.executable, "-c", code, str(bundle / "scripts/lidia/bootstrap.py")]
    process = subprocess.run(command, env=places, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == remaining
