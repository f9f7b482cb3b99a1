"""report.json is run as a user runs it."""

from __future__ import annotations

from pathlib import Path

import monai.bundle
import pytest


@pytest.mark.filterwarnings("ignore:parsing config_file")
def test_the_config_writes_the_page(run: Path, bundle: Path, tmp_path: Path) -> None:
    monai.bundle.run(
        config_file=str(bundle / "configs/report.json"),
        logging_file=False,
        results_dir=str(run / "results"),
        dataset_dir=str(run / "data"),
        evaluation_dir=str(run / "evaluation"),
        output_dir=str(tmp_path),
        patients=1,
    )
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count("<article") == 1 and "AUC-8" in text
