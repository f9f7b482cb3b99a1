from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from ct_files import affine_of, radius, save, write_ct, write_label

from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.vocabulary import IGNORED

SHAPE = (40, 40, 30)
LESIONS = ((2, (15, 10, 0), 12.0), (7, (-20, 0, 5), 10.0), (7, (-20, 0, -20), 9.0))


@pytest.fixture
def case(tmp_path: Path) -> dict[str, Any]:
    venous, affine = write_ct(tmp_path / "v.nii.gz", flips=(-1, -1, 1))
    return {
        "id": "P1",
        "phases": {"venous": venous},
        "label": write_label(tmp_path / "l.nii.gz", affine, SHAPE, LESIONS),
        "malignant": {"1": True},
    }


def rewrite(case: dict[str, Any], change: Any, key: str = "label", dtype: Any = None) -> dict[str, Any]:
    image = nib.load(case["label"])
    voxels = np.asarray(image.dataobj).astype(np.float32)
    path = Path(case["label"]).with_name(f"new_{key}.nii.gz")
    changed = change(voxels)
    return {**case, key: save(path, changed if dtype is None else changed.astype(dtype), image.affine)}


def fault_of(item: dict[str, Any], labels: Any = "network", **options: Any) -> CaseError:
    with pytest.raises(RuntimeError) as caught:
        preprocessing(labels=labels, **options)(item)
    fault = CaseError.find(caught.value)
    assert fault is not None
    return fault


def test_network_label(case: dict[str, Any]) -> None:
    got = preprocessing(labels="network")(case)
    label = got["label"]
    assert label.dtype == torch.int16 and label.shape == (2, *got["image"].shape[1:])
    assert torch.unique(label[0]).tolist() == [0, 1, 2, 7] and torch.unique(label[1]).tolist() == [0, 1, 2, 3]
    for kind, centre, size in LESIONS:
        mask = torch.as_tensor(radius(got["image"].affine.numpy(), label.shape[1:], centre) < size)
        dice = 2 * (mask & (label[0] == kind)).sum() / (mask.sum() + (label[0][mask.bool()] == kind).sum())
        assert dice > 0.85 and label[1][mask & (label[0] == kind)].unique().numel() == 1
    assert got["malignant"] == {"1": True}


def test_native_label_is_untouched(case: dict[str, Any]) -> None:
    small = rewrite(case, lambda v: np.where((np.indices(v.shape) == 20).all(0), 5, v))
    got = preprocessing(labels="native")(small)
    label = got["label"]
    assert label.shape == (2, *SHAPE)
    assert np.array_equal(label[0].numpy(), np.asarray(nib.load(small["label"]).dataobj))
    np.testing.assert_allclose(label.affine.numpy(), nib.load(case["phases"]["venous"]).affine, atol=1e-6)
    assert int(label[1].max()) == 4 and int((label[0] == 5).sum()) == 1


def test_too_small_lesions_are_ignored(case: dict[str, Any]) -> None:
    def speck(voxels: np.ndarray) -> np.ndarray:
        voxels[20, 20, 15] = 4
        return voxels

    marked = rewrite(case, speck)
    got = preprocessing(labels="network", spacing=(1.75, 1.75, 2.5), min_lesion_mm3=70)(marked)["label"]
    assert (got[0] == IGNORED).any() and not (got[0] == 4).any()
    assert (got[1][got[0] == IGNORED] == 0).all()
    remaining = preprocessing(labels="network", spacing=(1.75, 1.75, 2.5), min_lesion_mm3=60)(marked)["label"]
    assert (remaining[0] == 4).any() and not (remaining[0] == IGNORED).any()


def test_crop_keeps_the_liver_and_its_place(case: dict[str, Any]) -> None:
    complete = preprocessing(labels="network", spacing=(2.5, 2.5, 2.5))(case)
    cut = preprocessing(labels="network", spacing=(2.5, 2.5, 2.5), margin_mm=10.0)(case)
    size = 2 * 45 / 2.5 + 2 * 10 / 2.5
    assert all(abs(n - size) <= 3 for n in cut["image"].shape[1:])
    assert cut["label"].shape[1:] == cut["image"].shape[1:]
    assert (cut["label"][0] > 0).sum() == (complete["label"][0] > 0).sum()
    start = torch.linalg.solve(complete["image"].affine, cut["image"].affine[:, 3])[:3].round().int().tolist()
    box = tuple(slice(a, a + n) for a, n in zip(start, cut["image"].shape[1:], strict=True))
    assert torch.equal(cut["label"].as_tensor()[0], complete["label"].as_tensor()[0][box])
    torch.testing.assert_close(
        cut["image"][2].as_tensor(), complete["image"][2].as_tensor()[box], atol=1e-3, rtol=0
    )


def test_liver_file_fills_a_label_without_liver(case: dict[str, Any], tmp_path: Path) -> None:
    bare = rewrite(case, lambda v: np.where(v >= 2, v, 0))
    assert fault_of(bare).code == "no_liver"
    liver = rewrite(case, lambda v: (v > 0) * 255, "liver", np.uint8)["liver"]
    got = preprocessing(labels="native")({**bare, "liver": liver})
    assert np.array_equal(got["label"][0].numpy(), np.asarray(nib.load(case["label"]).dataobj))
    assert "liver" not in got, "the truth's liver must not reach the system that is judged"


def test_given_instances(case: dict[str, Any]) -> None:
    numbers = {2: 7, 7: 3}
    inputs = rewrite(case, lambda v: np.vectorize(lambda x: numbers.get(int(x), 0))(v), "instances", np.int16)
    got = preprocessing(labels="native")(inputs)["label"]
    assert torch.unique(got[1]).tolist() == [0, 3, 7] and (got[1][got[0] == 2] == 7).all()
    partial = rewrite(case, lambda v: np.where(v == 2, 7, np.where(v == 0, 9, 0)), "instances", np.int16)
    item = preprocessing(labels="native")(partial)
    assert torch.unique(item["label"][1]).tolist() == [0, 7, 8, 9] and len(item["warnings"]) == 2
    assert (item["label"][1][item["label"][0] == 0] == 0).all()


@pytest.mark.parametrize(
    ("value", "word"), [(37, "37 "), (-1, "-1 "), (3.5, "whole"), (np.nan, "finite"), (255, "255 ")]
)
def test_labels_that_are_no_classes(case: dict[str, Any], value: float, word: str) -> None:
    fault = fault_of(rewrite(case, lambda v: np.where(v == 2, value, v), dtype=np.float32))
    assert fault.code == "bad_label" and word in fault.problem and fault.case == "P1"


def test_rounding_noise_is_forgiven_and_binary_hinted(case: dict[str, Any]) -> None:
    noisy = rewrite(case, lambda v: v + 4e-4, dtype=np.float32)
    assert torch.unique(preprocessing(labels="native")(noisy)["label"][0]).tolist() == [0, 1, 2, 7]
    binary = fault_of(rewrite(case, lambda v: (v > 1) * 255, dtype=np.uint8))
    assert "0 and 255" in binary.problem
    assert fault_of({k: v for k, v in case.items() if k != "label"}).code == "no_label"


def test_a_healthy_patient_is_allowed(case: dict[str, Any]) -> None:
    got = preprocessing(labels="network")(rewrite(case, lambda v: v > 0, dtype=np.uint8))["label"]
    assert torch.unique(got[0]).tolist() == [0, 1] and int(got[1].max()) == 0


def test_label_on_another_grid(case: dict[str, Any], tmp_path: Path) -> None:
    finer = affine_of((2, 2, 2), (60, 60, 60))
    other = {**case, "label": write_label(tmp_path / "fine.nii.gz", finer, (60, 60, 60), LESIONS)}
    got = preprocessing(labels="native")(other)
    same = preprocessing(labels="native")(case)["label"]
    assert got["label"].shape == (2, *SHAPE) and "another grid" in got["warnings"][0]
    assert (got["label"][0] == same[0]).float().mean() > 0.97
    missing = {
        **case,
        "label": write_label(tmp_path / "lost.nii.gz", np.diag([2.0, 2, 2, 1]), (60, 60, 60), ()),
    }
    voxels = np.zeros((60, 60, 60), np.uint8)
    voxels[40:, 40:, 40:] = 1
    missing["label"] = save(tmp_path / "lost.nii.gz", voxels, np.diag([2.0, 2, 2, 1]))
    assert fault_of(missing).code == "label_outside"


def test_without_venous_the_label_gives_the_grid(case: dict[str, Any], tmp_path: Path) -> None:
    late, _ = write_ct(tmp_path / "d.nii.gz", (50, 50, 36), (3, 3, 4.4))
    early = case["phases"]["venous"]
    got = preprocessing(labels="native")({**case, "phases": {"arterial": early, "delayed": late}})
    assert got["grid_phase"] == "arterial" and got["label"].shape == (2, *SHAPE)
    alone = preprocessing(labels="native")({**case, "phases": {"delayed": late}})
    assert alone["grid_phase"] == "delayed" and alone["label"].shape == (2, *SHAPE)
    assert any("grid of the label" in warning for warning in alone["warnings"])


def test_the_overlap_of_phases_is_measured_in_the_liver(case: dict[str, Any], tmp_path: Path) -> None:
    """A phase of the upper half alone is far from half the body but misses half the liver."""
    voxels = np.asarray(nib.load(case["phases"]["venous"]).dataobj)
    affine = nib.load(case["phases"]["venous"]).affine.copy()
    affine[2, 3] += 16 * 5
    upper = save(tmp_path / "a.nii.gz", voxels[:, :, 16:], affine)
    item = {**case, "phases": {**case["phases"], "arterial": upper}}
    fault = fault_of(item)
    assert fault.code == "no_overlap" and "liver" in fault.problem
