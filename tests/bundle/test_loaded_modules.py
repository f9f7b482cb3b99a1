"""A training loads its own packages alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
ABSENT = (
    "dicom",
    "registration",
    "phase_id",
    "report",
    "followup",
    "prepare",
    "check",
    "implant",
    "phantom",
    "label_app",
)


def test_a_training_loads_no_dicom_registration_report_or_conversion(tmp_path: Path) -> None:
    command = [sys.executable, str(TESTS / "loaded_modules.py"), str(TESTS.parent / "lidia_bundle")]
    process = subprocess.run(
        [*command, str(tmp_path / "missing")], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr[-2000:]
    modules = [line for line in process.stdout.splitlines() if line.startswith("scripts.lidia.")]
    assert "scripts.lidia.training.update_step" in modules
    assert "scripts.lidia.evaluation.patient_metrics" in modules  # of the validation
    packages = {module.split(".")[2] for module in modules}
    assert packages.isdisjoint(ABSENT)
    assert "scripts.lidia.evaluation.fit_calibration" not in modules
