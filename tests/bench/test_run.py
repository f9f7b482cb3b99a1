"""Every row of the benchmark runs, in small; what is finished is not measured again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from config_names import read
from monai.bundle import run

from experiments.bench.run_bench import ROWS, run_bench

pytestmark = [
    # MONAI's word of caution about foreign configs; these are our own.
    pytest.mark.filterwarnings("ignore:parsing config_file"),
    # MONAI's LoadImage, which the stock side uses, tries every reader that there is.
    pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader"),
    # A measured training validates nothing.
    pytest.mark.filterwarnings("ignore:`dataloader` is empty"),
]

EQUAL = ("lesion_metrics", "writing")
"""Rows whose note says whether both sides gave the same numbers."""


def files(bundle: Path) -> list[str]:
    return [str(bundle.parent / "experiments/configs" / name) for name in ("bench.json", "bench_quick.yaml")]


def test_the_config_has_every_row(bundle: Path) -> None:
    assert list(read(bundle.parent / "experiments/configs/bench.json")["rows"]) == list(ROWS)


@pytest.mark.slow
def test_every_row_is_measured_once(bundle: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"output_dir": str(tmp_path / "out"), "threads": 1, "logging_file": False}
    run(config_file=files(bundle), **options)
    record = json.loads((tmp_path / "out/page/performance.json").read_text(encoding="utf-8"))
    finished = {path.stem for path in (tmp_path / "out/rows").iterdir()}
    assert finished == set(ROWS) - {"runtime"}
    assert {"patient", "patient_memory", "forward", "absent", "training_sam", "data_waiting"} <= set(record)
    for row, entry in record.items():
        assert {"ratio", "low", "high", "against", "what", "wanted"} <= set(entry), row
        assert entry["ratio"] is None or entry["ratio"] >= 0 or row.startswith("absent"), row
    assert all(record[row]["note"].startswith("same") for row in EQUAL)
    assert (tmp_path / "out/page/images/growth.png").stat().st_size > 10_000
    page = (tmp_path / "out/page/performance.md").read_text(encoding="utf-8")
    assert all(f"| {row} |" in page for row in record)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/rows").iterdir()}
    run(config_file=files(bundle), **options)
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "out/rows").iterdir()}


def test_an_unknown_row_is_named(bundle: Path, tmp_path: Path) -> None:
    places = {"output_dir": str(tmp_path), "docs_dir": str(tmp_path), "bundle_root": str(bundle)}
    with pytest.raises(ValueError, match="speed.*patient, cohort"):
        run_bench(rows={"speed": {}}, **places)
