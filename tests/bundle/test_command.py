"""What a user of `python -m monai.bundle run` sees when it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_command_ends_with_the_reason_alone(bundle: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monai.bundle", "run", "evaluating", "--config_file"]
    command += [str(bundle / "configs/inference.json"), "--dataset_dir", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-3:]
    assert last[0].startswith("CaseError"), done.stderr[-500:]
    assert "--dataset_dir" in last[2]
