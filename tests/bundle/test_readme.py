"""The example "From Python" of the README runs as printed, in a folder that holds the bundle."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path


def test_the_example_runs_as_printed(bundle: Path, tmp_path: Path) -> None:
    text = (bundle.parent / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len([line for line in code.splitlines() if line]) == 5
    shutil.copytree(bundle, tmp_path / bundle.name, ignore=shutil.ignore_patterns("docs", "__pycache__"))
    command = [sys.executable, "-c", code]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr[-2000:]
    assert process.stdout.strip().splitlines()[-1] == "torch.Size([1, 10, 64, 64, 64])"
