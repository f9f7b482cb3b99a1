"""Unlabelled CT of a hospital, by one command each: masks, training, evaluation on implants, inference.

Coarse phantoms stand for the CT.
"""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.bundle import run

from scripts.lidia.datalist.read_datalist import load_datalist, read_sections
from scripts.lidia.runtime.weights import read_state

pytestmark = [
    pytest.mark.filterwarnings("ignore:parsing config_file"),
    pytest.mark.filterwarnings("ignore:Can't merge entry"),
]

GRID = {"spacing": [4.0, 4.0, 4.0], "roi_size": [96, 80, 48]}
SMALL = (
    "precision: fp32\nmax_epochs: 1\nsteps_per_epoch: 2\nval_interval: 5\nimplants_per_background: 2\n"
    "spacing: [4.0, 4.0, 4.0]\npatch_size: [32, 32, 16]\n"
    "train#stages: {full: {start: 0.0, decoding: true, crop: [32, 32, 16], cases: 2}}\n"
)


def test_from_unlabelled_ct_to_results(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    configs = bundle / "configs"
    scans = tmp_path / "ct"
    scans.mkdir()
    for case in load_datalist(cohort, "training")[:2]:
        (scans / f"{case['id']}_venous.nii.gz").symlink_to(case["phases"]["venous"])

    lists, data, results = tmp_path / "lists", tmp_path / "implants", tmp_path / "results"
    options = {"source": "unlabelled", "input_dir": str(scans), "dataset_dir": str(lists)}
    run(config_file=str(configs / "prepare.json"), **options)
    backgrounds = lists / "dataset.json"
    names = [item["id"] for item in read_sections(backgrounds)["training"]]
    assert len(names) == 2

    small = tmp_path / "small.yaml"
    small.write_text(SMALL)
    files = [str(file) for file in (configs / "train.json", configs / "overlays/recipes/real_ct.yaml", small)]
    options = {"dataset_dir": str(cohort), "backgrounds": str(backgrounds), "leave_out": names[1:]}
    options |= {"output_dir": str(tmp_path / "run"), "cache_dir": str(tmp_path / "cache")}
    run("training", config_file=files, **options)
    trained = read_state(tmp_path / "run/model.pt")
    shipped = read_state(bundle / "models/model.pt")
    assert trained.keys() == shipped.keys()
    assert any(not np.array_equal(trained[name], shipped[name]) for name in shipped)

    options = {"background": str(backgrounds), "background_ids": names[1:], "dataset_dir": str(data)}
    run(config_file=str(configs / "phantom.json"), cases=1, section="test", **options)
    (implanted,) = json.loads((data / "dataset.json").read_text())["test"]
    assert implanted["background"] == names[1]
    weights = {**GRID, "model_file": str(tmp_path / "run/model.pt")}
    options = {"dataset_dir": str(data), "output_dir": str(tmp_path / "evaluation"), **weights}
    run("evaluating", config_file=str(configs / "evaluate.json"), **options)
    metrics = json.loads((tmp_path / "evaluation/metrics.json").read_text())
    assert metrics["liver_dice"]["value"] > 0.8

    options = {"venous": str(scans / f"{names[1]}.nii.gz"), "case_id": "P", "output_dir": str(results)}
    run("evaluating", config_file=str(configs / "inference.json"), **options, **weights)
    result = json.loads((results / "P.json").read_text())
    assert result["phases_used"] == ["venous"]
    liver = nib.load(results / "P_liver.nii.gz")
    assert liver.shape == nib.load(options["venous"]).shape and np.asarray(liver.dataobj).any()
