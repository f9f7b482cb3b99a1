"""The command of the follow-up, by its config."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from followup.hand_made import write_date
from monai.bundle import run

CONFIG = Path(__file__).parents[2] / "lidia_bundle/configs/follow.json"


@pytest.mark.filterwarnings("ignore:parsing config_file")
def test_the_command_follows_a_folder_with_limits_of_the_user(tmp_path: Path) -> None:
    for case, radius, date in (("t1", 10, "2025-01-10"), ("t2", 16, "2025-05-10")):
        write_date(tmp_path, case, [((60, 80, 120), radius, "HCC")], date=date)
    options = {"results_dir": str(tmp_path), "register": False, "change#grown_mm": 20.0}
    run(config_file=str(CONFIG), output_dir=str(tmp_path / "out"), **options)
    record = json.loads((tmp_path / "out/P1_followup.json").read_text(encoding="utf-8"))
    assert record["limits"]["change"]["grown_mm"] == 20.0
    assert [lesion["changes"][0]["change"] for lesion in record["lesions"]] == ["stable"], "12 mm"
    assert record["dicom"] == dict.fromkeys(("t1", "t2"), "the images are not DICOM")
    assert (tmp_path / "out/P1_followup.html").is_file() and (tmp_path / "out/P1_followup.csv").is_file()
