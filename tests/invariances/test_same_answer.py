"""Results do not depend on workers, order of patients, batch of windows, path, locale or time zone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from test_configs import NATIVE, workflow
from training.toys import save_network, write_toys

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

SMALL = {**NATIVE, "roi_size": [32, 32, 32]}  # several windows a patient
ELSEWHERE = {
    "LC_ALL": "C",  # no UTF-8 but where it is asked for
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONUTF8": "0",
    "TZ": "Pacific/Kiritimati",
    "PYTHONHASHSEED": "7",
    "OMP_NUM_THREADS": "1",
}


def answers(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("toy_*.json")}


def test_workers_order_batches_locale_and_path_change_no_result(bundle: Path, tmp_path: Path) -> None:
    data = write_toys(tmp_path / "data", training=0, validation=0, test=2)
    weights = save_network(tmp_path / "model.pt")
    common = {"model_file": weights, "pages": False}
    workflow("inference", **SMALL, **common, dataset_dir=str(data), output_dir=str(tmp_path / "here")).run()

    place = tmp_path / "andere Stätte"
    copy = shutil.copytree(bundle, place / "bundle", ignore=shutil.ignore_patterns("__pycache__", "docs"))
    shifted = shutil.copytree(data, place / "data")
    entries = json.loads((shifted / "dataset.json").read_text(encoding="utf-8"))
    entries["test"].reverse()
    (shifted / "dataset.json").write_text(json.dumps(entries), encoding="utf-8")
    options = {**SMALL, **common, "dataset_dir": shifted, "output_dir": place / "out", "num_workers": 2}
    options |= {"inferer#sw_batch_size": 3}
    command = [
        sys.executable,
        "-m",
        "monai.bundle",
        "run",
        "--config_file",
        str(copy / "configs/inference.json"),
    ]
    command += [part for key, value in options.items() for part in (f"--{key}", str(value))]
    process = subprocess.run(
        command, env=os.environ | ELSEWHERE, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr[-3000:]

    present, existing = answers(tmp_path / "here"), answers(place / "out")
    assert present.keys() == existing.keys() and len(present) == 2
    for case, record in present.items():
        hashes = [{p: i["sha256"] for p, i in r["inputs"].items()} for r in (existing[case], record)]
        assert hashes[0] == hashes[1] and existing[case]["versions"] == record["versions"]
        assert [entry["type"] for entry in existing[case]["lesions"]] == [
            entry["type"] for entry in record["lesions"]
        ]
        for name, chance in record["probabilities"].items():
            assert existing[case]["probabilities"][name] == pytest.approx(chance, abs=1e-5)
        assert existing[case]["warnings"] == record["warnings"]
        for name in ("lesions", "instances", "liver"):
            mine, theirs = (
                np.asarray(nib.load(folder / f"{case}_{name}.nii.gz").dataobj)
                for folder in (tmp_path / "here", place / "out")
            )
            assert (mine != theirs).mean() < 1e-4
