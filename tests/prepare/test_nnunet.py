"""Export and import again give the same; nnU-Net accepts the exported folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import monai.bundle
import numpy as np
import pytest
from prepare.raw_folders import NAME, export, names

from scripts.lidia.data.load_phases import LoadPhases
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.prepare.prepare_data import prepare


def test_out_and_in_again_is_the_same(toys: Path, raw: Path, tmp_path: Path) -> None:
    prepare(source="nnunet", input_dir=raw, dataset_dir=tmp_path)
    load = LoadPhases("native")
    for section in ("training", "validation", "test"):
        before, after = load_datalist(toys, section), load_datalist(tmp_path, section)
        assert [item["id"] for item in after] == [item["id"] for item in before]
        for entry, other in zip(map(load, before), map(load, after), strict=True):
            assert entry["phases_used"] == other["phases_used"]
            volumes = [{"venous": item["image"], **item["phases"]} for item in (entry, other)]
            for phase in entry["phases_used"]:
                assert np.array_equal(volumes[0][phase].numpy(), volumes[1][phase].numpy())
                assert np.allclose(volumes[0][phase].affine, volumes[1][phase].affine)
            assert np.array_equal(entry["drawing"].classes.numpy()[0], other["drawing"].classes.numpy()[0])
    assert not (tmp_path / "labels").exists(), "labels with our values stay where they are"


def test_each_fold_of_nnunet_becomes_a_list(toys: Path, tmp_path: Path) -> None:
    folder = export(toys, tmp_path / "raw", folds=2)
    splits = json.loads((folder / "splits_final.json").read_text())
    assert sorted(case for fold in splits for case in fold["val"]) == [f"toy_{n:02d}" for n in range(5)]
    prepare(source="nnunet", input_dir=folder, dataset_dir=tmp_path / "o")
    for number, fold in enumerate(splits):
        section = load_datalist(tmp_path / "o", "validation", file=f"dataset_fold{number}.json")
        assert sorted(item["id"] for item in section) == fold["val"]


@pytest.mark.filterwarnings("ignore:parsing config_file")
def test_the_config_as_a_user_runs_it(toys: Path, bundle: Path, tmp_path: Path) -> None:
    config = {"config_file": str(bundle / "configs/prepare.json"), "logging_file": False}
    out = {"source": "to_nnunet", "dataset_dir": str(tmp_path / NAME), "phases": ["nc", "venous"]}
    monai.bundle.run(**config, input_dir=str(toys), **out)
    assert len(names(tmp_path / NAME / "imagesTr")) == 10
    back = {"source": "nnunet", "dataset_dir": str(tmp_path / "back"), "folds": 2}
    monai.bundle.run(**config, input_dir=str(tmp_path / NAME), **back)
    assert list(load_datalist(tmp_path / "back", "test")[0]["phases"]) == ["nc", "venous"]
    assert names(tmp_path / "back")[:2] == ["dataset.json", "dataset_fold0.json"]


@pytest.mark.slow
def test_nnunet_accepts_the_exported_data_set(toys: Path, raw: Path, tmp_path: Path) -> None:
    """nnU-Net's integrity check, plans and preprocessing; takes minutes, most of them its imports."""
    command = os.environ.get("LIDIA_NNUNET") or shutil.which("nnUNetv2_plan_and_preprocess")
    if not command:
        pytest.skip("nnUNetv2_plan_and_preprocess is not on PATH, nor named by LIDIA_NNUNET")
    places = {"nnUNet_raw": raw.parent}
    places |= {f"nnUNet_{part}": tmp_path / part for part in ("preprocessed", "results")}
    for place in places.values():
        place.mkdir(exist_ok=True)
    process = subprocess.run(
        [command, "-d", "501", "--verify_dataset_integrity", "-c", "3d_fullres", "-np", "1"],
        env={**os.environ, **{name: str(place) for name, place in places.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    assert "verify_dataset_integrity Done" in process.stdout
    assert "Error" not in process.stdout and "mismatch" not in process.stdout, process.stdout
    created = tmp_path / "preprocessed" / NAME
    assert json.loads((created / "splits_final.json").read_text())[0]["val"] == ["toy_03", "toy_04"]
    plans = json.loads((created / "nnUNetPlans.json").read_text())
    schemes = plans["configurations"]["3d_fullres"]["normalization_schemes"]
    assert schemes == ["CTNormalization"] * 3 + ["ZScoreNormalization"]
