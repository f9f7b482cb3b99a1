"""Liver masks by the shipped weights: of phantoms in the place of CT, and of real CT where there is some."""

from __future__ import annotations

import json
from pathlib import Path

import monai.bundle
import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.datalist.read_backgrounds import load_backgrounds
from scripts.lidia.datalist.read_datalist import load_datalist, read_sections
from scripts.lidia.geometry.grid import Grid
from scripts.lidia.geometry.resample import resample
from scripts.lidia.inference.liver_segmenter import LiverSegmenter, SegmentedLiver, build_segmenter
from scripts.lidia.prepare.mask_gate import MaskGate
from scripts.lidia.prepare.mask_quality import compute_dice, measure_mask
from scripts.lidia.prepare.write_implants import write_implants
from scripts.lidia.vocabulary import PHASES

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")


def test_from_a_folder_of_ct_to_implants(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    """One command makes the masks, and its list is what implants take for backgrounds."""
    (tmp_path / "ct").mkdir()
    case = load_datalist(cohort, "training")[0]
    (tmp_path / "ct/P1_venous.nii.gz").symlink_to(case["phases"]["venous"])
    out = tmp_path / "out"
    config = {"config_file": str(bundle / "configs/prepare.json"), "logging_file": False}
    config |= {"source": "unlabelled", "input_dir": str(tmp_path / "ct"), "dataset_dir": str(out)}
    monai.bundle.run(**config)
    (item,) = load_backgrounds(out / "dataset.json")
    mask, truth = (np.asarray(nib.load(path).dataobj) > 0 for path in (item["liver"], case["liver"]))
    assert compute_dice(mask, truth) > 0.9
    np.testing.assert_allclose(nib.load(item["liver"]).affine, nib.load(case["liver"]).affine, atol=1e-4)
    record = json.loads((out / "masks/P1_venous.json").read_text())
    assert record["quantities"]["agreement"] > 0.92
    assert record["quantities"]["volume_ml"] == pytest.approx(
        mask.sum() * abs(np.linalg.det(nib.load(item["liver"]).affine[:3, :3])) / 1000
    )
    monai.bundle.run(**config, **{"mask_gate#agreement": 0.999, "accept": ["P1_venous"]})
    assert "0.999" not in (out / "prepare.json").read_text(), "a limit may change without a new folder"
    assert "accepted by --accept although" in (out / "masks.html").read_text()
    path = write_implants(dataset_dir=tmp_path / "data", background=str(out / "dataset.json"), cases=1)
    assert load_datalist(path.parent, "test")[0]["background"] == "P1_venous"


def test_an_unknown_axis_of_the_second_pass_is_refused() -> None:
    parts = dict.fromkeys(("preprocessing", "network", "inferer", "postprocessing"))
    with pytest.raises(ValueError, match="mirror_axis"):
        LiverSegmenter(**parts, window=(-200.0, 400.0), mirror_axis=3)


def test_options_of_the_inference_config_reach_the_parts(bundle: Path) -> None:
    segmenter = build_segmenter(str(bundle / "configs/inference.json"), options={"window": [-100.0, 300.0]})
    assert segmenter.window == [-100.0, 300.0]
    assert segmenter.preprocessing.settings["window"] == [-100.0, 300.0]


def take_for_prediction(ct: Path, mask: Path, phase: str) -> SegmentedLiver:
    """A given mask in the place of a prediction in which both passes agree."""
    image = preprocessing()({"id": "real", "phases": {phase: str(ct)}})["image"]
    file = nib.load(mask)
    native, affine = np.asarray(file.dataobj) > 0, torch.from_numpy(file.affine)
    grid = Grid(image.affine.numpy(), tuple(image.shape[1:]))
    volume = MetaTensor(torch.from_numpy(native.astype(np.float32))[None], affine=affine)
    region = resample(volume, grid, outside=0.0)[0].numpy() > 0.5
    hu = (image.as_tensor()[PHASES.index(phase)].numpy() + 1) * 300 - 200
    return SegmentedLiver(native, file.affine, hu, grid.affine, region, region, region, (), ())


@pytest.mark.parametrize(
    ("case", "phase"),
    [("hcc002", "arterial"), ("hcc005b", "arterial"), ("flt001", "nc"), ("tcga_bc10x", "venous")],
)
def test_the_gate_accepts_reference_masks_of_real_ct(real_ct: Path, case: str, phase: str) -> None:
    """A late arterial HCC, one after embolisation, a native scan, and a liver after hepatectomy."""
    folder = real_ct / "real_ct" / case
    quantities = measure_mask(
        take_for_prediction(folder / f"{phase}.nii.gz", folder / f"liver_{phase}.nii.gz", phase)
    )
    assert MaskGate().find_reasons(quantities) == []


def test_real_ct(bundle: Path, real_ct: Path, tmp_path: Path) -> None:
    """The command runs on a patient's folder; the masks that lie beside the CT are named and left out."""
    config = {"config_file": str(bundle / "configs/prepare.json"), "logging_file": False}
    folder, out = real_ct / "real_ct/crlm1006", tmp_path / "out"
    config |= {"source": "unlabelled", "input_dir": str(folder), "dataset_dir": str(out)}
    monai.bundle.run(**config, accept=["venous"])
    (item,) = read_sections(out / "dataset.json")["training"]
    assert item["id"] == "venous" and item["phases"] == {"venous": str(folder / "venous.nii.gz")}
    mask, reference = (
        np.asarray(nib.load(path).dataobj) > 0 for path in (item["liver"], folder / "liver_venous.nii.gz")
    )
    assert compute_dice(mask, reference) > 0.8
    (entry,) = json.loads((out / "errors.json").read_text())
    assert entry["code"] == "mask" and entry["case"] == "liver_venous"
