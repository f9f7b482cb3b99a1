from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from ct_files import affine_of, radius, save, write_ct, write_label
from monai.data import DataLoader, Dataset, MetaTensor, decollate_batch, list_data_collate
from monai.inferers import SlidingWindowInferer
from monai.transforms import Invertd

from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.vocabulary import PHASES

SHAPE = (40, 40, 30)
ORIENTATIONS = [
    (flips, turn) for flips in ((1, 1, 1), (-1, -1, 1), (-1, 1, -1), (1, -1, -1)) for turn in (0.0, 0.3)
]


def present(image: torch.Tensor) -> list[str]:
    share = torch.isnan(image).flatten(1).float().mean(1).tolist()
    assert set(share) <= {0.0, 1.0}, "a phase is there or not, never in part"
    return [phase for phase, missing in zip(PHASES, share, strict=True) if missing == 0]


def world(tensor: MetaTensor) -> np.ndarray:
    return radius(tensor.affine.numpy(), tensor.shape[1:])


def test_contract(tmp_path: Path) -> None:
    venous, _ = write_ct(tmp_path / "v.nii.gz", flips=(-1, -1, 1))
    arterial, _ = write_ct(tmp_path / "a.nii.gz", (50, 44, 60), (3, 3, 2.7), liver_hu=90)
    got = preprocessing(spacing=(2.5, 2.5, 2.5))({
        "id": "P1",
        "phases": {"venous": venous, "arterial": arterial},
    })
    image = got["image"]
    assert isinstance(image, MetaTensor) and image.dtype == torch.float32
    assert image.shape == (4, 64, 64, 47), "a body of 120 mm, and 20 mm of air where no scan ends"
    assert nib.aff2axcodes(image.affine.numpy()) == ("R", "A", "S")
    torch.testing.assert_close(image.pixdim, torch.full((3,), 2.5, dtype=torch.float64))
    assert present(image) == ["arterial", "venous"] == got["phases_used"] and got["grid_phase"] == "venous"
    assert got["id"] == "P1" and got["warnings"] == []
    deep = world(image) < 30
    for phase, hu in (("arterial", 90), ("venous", 60)):
        values = image[PHASES.index(phase)].numpy()
        assert values.min() == -1 and abs(values[deep].mean() - (hu - 100) / 300) < 0.01


def test_window_and_spacing(tmp_path: Path) -> None:
    venous, _ = write_ct(tmp_path / "v.nii.gz")
    got = preprocessing(spacing=(4, 4, 4), window=(-1000, 1000))({"phases": {"venous": venous}})["image"]
    assert got.shape[1:] == (46, 46, 37) and abs(float(got[2, 23, 23, 18]) - 0.06) < 0.02


@pytest.mark.parametrize(("flips", "turn"), ORIENTATIONS)
def test_prediction_comes_back_to_its_own_grid(tmp_path: Path, flips: tuple[int, ...], turn: float) -> None:
    path, _ = write_ct(tmp_path / "v.nii.gz", flips=flips, turn=turn)
    transform = preprocessing()
    item = transform({"phases": {"venous": path}})
    ball = torch.as_tensor(radius(item["image"].affine.numpy(), item["image"].shape[1:], (20, -10, 8)) < 15)
    plain = torch.nn.functional.one_hot(ball.long() * 3, 10).permute(3, 0, 1, 2).float()
    back = Invertd("pred", transform, "image", nearest_interp=False)({**item, "pred": MetaTensor(plain)})
    source = nib.load(path)
    assert back["pred"].shape == (10, *source.shape)
    np.testing.assert_allclose(back["pred"].affine.numpy(), source.affine, atol=1e-5)
    result = back["pred"].argmax(0).numpy() == 3
    places = np.argwhere(result).mean(0)
    centre = source.affine[:3, :3] @ places + source.affine[:3, 3]
    assert np.linalg.norm(centre - (20, -10, 8)) < 1.0
    assert abs(result.sum() * 3.5 * 3.5 * 5 / (4 / 3 * np.pi * 15**3) - 1) < 0.15


def test_comes_back_through_loader_and_window(tmp_path: Path) -> None:
    path, _ = write_ct(tmp_path / "v.nii.gz", flips=(-1, -1, 1))
    transform = preprocessing(spacing=(4, 4, 4))
    loader = DataLoader(
        Dataset([{"phases": {"venous": path}}], transform), num_workers=1, collate_fn=list_data_collate
    )
    (batch,) = loader
    window = SlidingWindowInferer((16, 16, 16), 4, overlap=0.25, mode="gaussian")
    batch["pred"] = window(batch["image"], torch.nan_to_num)
    (item,) = decollate_batch(batch)
    got = Invertd("pred", transform, "image", nearest_interp=False)(item)
    assert got["pred"].shape == (4, *SHAPE)
    np.testing.assert_allclose(got["pred"].affine.numpy(), nib.load(path).affine, atol=1e-5)
    assert got["phases_used"] == ["venous"] and not got["warnings"]


@pytest.mark.parametrize(
    ("phases", "grid"),
    [(("nc",), "nc"), (("nc", "arterial"), "arterial"), (("nc", "arterial", "delayed"), "delayed")],
)
def test_without_venous_another_phase_gives_the_grid(
    tmp_path: Path, phases: tuple[str, ...], grid: str
) -> None:
    paths = {}
    for number, phase in enumerate(phases):
        paths[phase], _ = write_ct(tmp_path / f"{phase}.nii.gz", (40 + number, 40, 30))
    got = preprocessing()({"id": "P1", "phases": paths})
    assert got["grid_phase"] == grid and present(got["image"]) == list(phases)
    assert any("no venous phase" in warning for warning in got["warnings"])


def test_coarse_sampling_averages_noise(tmp_path: Path) -> None:
    path, _ = write_ct(tmp_path / "v.nii.gz", (100, 100, 30), (1.25, 1.25, 4.0))
    noise = []
    for antialias in (False, True):
        image = preprocessing(spacing=(4, 4, 4), antialias=antialias)({"phases": {"venous": path}})["image"]
        deep = world(image) < 30
        noise.append(float(image[2].numpy()[deep].std()) * 300)
        assert abs(float(image[2].numpy()[deep].mean()) * 300 + 40) < 1
    assert noise[1] < 0.6 * noise[0]


def test_phases_on_different_grids_are_aligned_in_space(tmp_path: Path) -> None:
    """A ramp in world coordinates reads the same on any grid: nothing is off by half a voxel."""
    paths = {}
    for phase, shape, spacing, turn in (
        ("venous", (40, 40, 30), (3, 3, 4), 0.0),
        ("nc", (60, 60, 60), (4, 4, 4), 0.2),
    ):
        affine = affine_of(spacing, shape, (-1, 1, 1), turn)
        index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"))
        place = np.einsum("ij,jxyz->ixyz", affine[:3, :3], index) + affine[:3, 3, None, None, None]
        paths[phase] = save(tmp_path / f"{phase}.nii.gz", place.sum(0).astype(np.float32), affine)
    image = preprocessing(spacing=(2.5, 2.5, 2.5), window=(-1000, 1000), antialias=False)({
        "id": "P1",
        "phases": paths,
    })["image"]
    inner = (slice(12, -12), slice(12, -12), slice(3, -3))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in image.shape[1:]], indexing="ij"))
    matrix = image.affine.numpy()
    place = np.einsum("ij,jxyz->ixyz", matrix[:3, :3], index) + matrix[:3, 3, None, None, None]
    for channel in (0, 2):
        np.testing.assert_allclose(image[channel].numpy()[inner] * 1000, place.sum(0)[inner], atol=0.1)


def test_voxels_outside_a_phase_are_air(tmp_path: Path) -> None:
    venous, _ = write_ct(tmp_path / "v.nii.gz")
    short = affine_of((3.5, 3.5, 5.0), (40, 40, 20))
    arterial = save(tmp_path / "a.nii.gz", np.full((40, 40, 20), 40, np.float32), short)
    item = {"id": "P1", "phases": {"venous": venous, "arterial": arterial}}
    got = preprocessing(check_hu=False)(item)
    values = got["image"][1].numpy()
    heights = got["image"].affine.numpy()[2, 3] + 2.5 * np.arange(values.shape[2])
    assert (values[:, :, np.abs(heights) > 50.5] == -1).all()
    np.testing.assert_allclose(values[7:-7, 7:-7, np.abs(heights) < 49.5], (40 - 100) / 300, atol=1e-4)
    assert any("shows 6" in warning for warning in got["warnings"])


def test_a_phase_of_another_region_is_an_error_or_left_out(tmp_path: Path) -> None:
    venous, affine = write_ct(tmp_path / "v.nii.gz")
    away = affine.copy()
    away[2, 3] += 100
    arterial = save(tmp_path / "a.nii.gz", np.asarray(nib.load(venous).dataobj), away)
    item: dict[str, Any] = {"id": "P1", "phases": {"venous": venous, "arterial": arterial}}
    with pytest.raises(RuntimeError) as caught:
        preprocessing()(item)
    fault = CaseError.find(caught.value)
    assert fault is not None and fault.code == "no_overlap" and fault.file == arterial
    got = preprocessing(outside="drop")(item)
    assert present(got["image"]) == ["venous"] and "left out" in got["warnings"][0]


def test_monai_label_item(tmp_path: Path) -> None:
    image, _ = write_ct(tmp_path / "P1.nii.gz")
    write_ct(tmp_path / "phases" / "P1" / "nc.nii.gz", liver_hu=50)
    got = preprocessing()({"image": image, "image_path": image, "device": "cpu"})
    assert present(got["image"]) == ["nc", "venous"] and got["image_path"] == image and got["device"] == "cpu"
    (tmp_path / "phases/P1/nc.nii.gz").unlink()
    assert present(preprocessing()({"image": [image]})["image"]) == ["venous"]


def test_a_given_liver_is_resampled_to_the_reference_grid(tmp_path: Path) -> None:
    venous, affine = write_ct(tmp_path / "v.nii.gz", flips=(-1, 1, 1))
    same = write_label(tmp_path / "l.nii.gz", affine, SHAPE, ())
    finer = affine_of((2.5, 2.5, 2.5), (56, 56, 60))
    other = write_label(tmp_path / "m.nii.gz", finer, (56, 56, 60), ())
    masks = [
        preprocessing()({"phases": {"venous": venous}, "liver": path})["liver"] for path in (same, other)
    ]
    assert all(mask.shape == (1, *SHAPE) for mask in masks)
    assert np.array_equal(masks[0][0].numpy(), np.asarray(nib.load(same).dataobj))
    assert (masks[0] == masks[1]).float().mean() > 0.97


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="labels is 'both'"):
        preprocessing(labels="both")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"window \(100, -100\)"):
        preprocessing(window=(100, -100))
