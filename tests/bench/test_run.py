"""The benchmark measures every row once, on a bundle with small networks; finished rows are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench.small_bundle import write_small_bundle
from config_names import read
from monai.bundle import run

from experiments.bench.run_bench import ROWS, run_bench

pytestmark = [
    # MONAI warns about configs of unknown origin; these are our own.
    pytest.mark.filterwarnings("ignore:parsing config_file"),
    # MONAI's LoadImage, which the stock side uses, tries every reader that there is.
    pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader"),
    # A measured training has no validation.
    pytest.mark.filterwarnings("ignore:`dataloader` is empty"),
]

EQUAL = ("lesion_metrics", "writing")
"""Rows whose note tells whether both sides gave the same numbers."""
ELSEWHERE = ("cohort", "start")
"""Rows that only start processes, see test_processes."""


def files(bundle: Path) -> list[str]:
    return [str(bundle.parent / "experiments/configs" / name) for name in ("bench.json", "bench_quick.yaml")]


def test_the_config_has_every_row(bundle: Path) -> None:
    assert list(read(bundle.parent / "experiments/configs/bench.json")["rows"]) == list(ROWS)


@pytest.mark.slow
def test_every_row_is_measured_once(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options: dict[str, Any] = {"output_dir": str(out), "threads": 1, "logging_file": False}
    options["bundle_root"] = str(write_small_bundle(bundle, tmp_path / "small"))
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("".join(f"rows#{name}: null\n" for name in ELSEWHERE), encoding="utf-8")
    configs = [*files(bundle), str(overlay)]
    run(config_file=configs, **options)
    rows = json.loads((out / "page/performance.json").read_text(encoding="utf-8"))
    assert {path.stem for path in (out / "rows").iterdir()} == set(ROWS) - {"runtime", *ELSEWHERE}
    assert {"patient", "patient_memory", "forward", "absent", "training_sam", "data_waiting"} <= set(rows)
    for name, row in rows.items():
        assert {"ratio", "low", "high", "against", "what", "wanted"} <= set(row), name
        assert row["ratio"] is None or row["ratio"] >= 0 or name.startswith("absent"), name
    assert all(rows[name]["note"].startswith("same") for name in EQUAL)
    assert (out / "page/images/growth.png").stat().st_size > 10_000
    page = (out / "page/performance.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in page for name in rows)
    times = {path: path.stat().st_mtime_ns for path in (out / "rows").iterdir()}
    run(config_file=configs, **options)
    assert times == {path: path.stat().st_mtime_ns for path in (out / "rows").iterdir()}


def test_an_unknown_row_is_named(bundle: Path, tmp_path: Path) -> None:
    places = {"output_dir": str(tmp_path), "docs_dir": str(tmp_path), "bundle_root": str(bundle)}
    with pytest.raises(ValueError, match="speed.*patient, cohort"):
        run_bench(rows={"speed": {}}, **places)
