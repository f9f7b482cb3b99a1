"""Deformed crops: positions, and labels that follow the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from scripts.lidia.data.deformation import RandDeformation, interpolate_lattice, sample_positions
from scripts.lidia.data.lesion_crop import CropLesions

SIZE = (24, 20, 16)


def make_case(shape: tuple[int, int, int] = (48, 44, 40)) -> dict[str, torch.Tensor]:
    """A case whose first phase is 1 inside a lesion of two boxes and 0 outside."""
    label = torch.zeros((2, *shape), dtype=torch.int16)
    label[0, 6:-6, 6:-6, 6:-6] = 1
    label[0, 14:30, 16:28, 12:26] = 3
    label[0, 28:38, 20:24, 18:30] = 3
    label[1][label[0] == 3] = 1
    image = torch.full((4, *shape), torch.nan)
    image[0], image[2] = (label[0] == 3).float(), label[0].float()
    return {"image": image, "label": label}


def identity(size: tuple[int, int, int], offset: float) -> torch.Tensor:
    axes = [torch.arange(n, dtype=torch.float32) + offset for n in size]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def test_positions_on_voxels_give_the_voxels() -> None:
    case = make_case()
    image, label = sample_positions(case["image"], case["label"], identity(SIZE, 5.0))
    box = (slice(None), *(slice(5, 5 + n) for n in SIZE))
    torch.testing.assert_close(image, case["image"][box], equal_nan=True, atol=1e-4, rtol=0)
    assert torch.equal(label, case["label"][box])


def test_positions_between_voxels_are_their_mean() -> None:
    image = torch.arange(6.0).reshape(1, 6, 1, 1).expand(1, 6, 3, 3).contiguous()
    values, _ = sample_positions(
        image, torch.zeros((2, 6, 3, 3), dtype=torch.int16), identity((3, 2, 2), 0.5)
    )
    assert values[0, :, 0, 0].tolist() == pytest.approx([0.5, 1.5, 2.5])


def test_a_lattice_is_interpolated_as_torch_does() -> None:
    control = torch.randn((3, 2, 5, 4), generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(control[None], size=SIZE, mode="trilinear", align_corners=True)[0]
    torch.testing.assert_close(interpolate_lattice(control, SIZE), expected)


def test_labels_are_those_of_the_nearest_voxels_and_beyond_the_edge_of_its_voxels() -> None:
    label = torch.randint(0, 9, (2, 7, 6, 5), generator=torch.Generator().manual_seed(0), dtype=torch.int16)
    positions = torch.rand((3, 4, 5, 6), generator=torch.Generator().manual_seed(1)) * 10 - 2
    _, nearest = sample_positions(torch.zeros((1, 7, 6, 5)), label, positions)
    x, y, z = (place.round().long().clamp(0, n - 1) for place, n in zip(positions, (7, 6, 5), strict=True))
    assert torch.equal(nearest, label[:, x, y, z])


@pytest.mark.parametrize("seed", range(5))
def test_labels_follow_the_image(seed: int) -> None:
    """Where the image is certainly lesion, or certainly not, the label agrees."""
    crop = CropLesions(SIZE, lesion_share=1.0, deformation=RandDeformation(prob=1.0))
    crop.set_random_state(seed)
    item = crop(make_case())
    lesion = item["label"][0] == 3
    assert lesion.any() and item["image"].shape == (4, *SIZE)
    assert lesion[item["image"][0] > 0.999].all() and not lesion[item["image"][0] < 0.001].any()
    assert torch.equal(lesion, item["label"][1] == 1)
    assert torch.isnan(item["image"][1]).all() and not torch.isnan(item["image"][2]).any()


def test_a_scale_of_two_halves_the_steps_between_positions() -> None:
    deformation = RandDeformation(
        prob=1.0, rotation=(0, 0, 0), scale=(2.0, 2.0), anisotropy=0, shear=0, elastic=0
    )
    positions = deformation.draw(SIZE)
    assert positions is not None
    assert torch.diff(positions[0], dim=0).unique().tolist() == pytest.approx([0.5])
    assert positions.mean((1, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-5)


def test_a_rotation_keeps_distances() -> None:
    deformation = RandDeformation(rotation=(0.3, 0.3, 0.5), scale=(1, 1), anisotropy=0, shear=0)
    deformation.set_random_state(1)
    matrix = deformation.draw_matrix()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert abs(np.linalg.det(matrix) - 1) < 1e-12 and abs(matrix - np.eye(3)).max() > 0.05


def test_no_deformation_is_the_plain_crop() -> None:
    items = []
    for deformation in (None, RandDeformation(prob=0.0)):
        crop = CropLesions(SIZE, deformation=deformation)
        crop.set_random_state(3)
        items.append(crop(make_case()))
    torch.testing.assert_close(items[0]["image"], items[1]["image"], equal_nan=True)
    assert torch.equal(items[0]["label"], items[1]["label"])


@pytest.mark.parametrize("settings", [{"prob": 1.5}, {"scale": (1.2, 0.8)}, {"scale": (0.0, 1.0)}])
def test_settings_out_of_range_are_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match=str(next(iter(settings.values()))).replace("(", r"\(")[:4]):
        RandDeformation(**settings)


def test_a_coarse_crop_shows_twice_the_extent_and_ignores_tiny_lesions() -> None:
    case = make_case()
    case["label"][:, 40, 40, 35] = torch.tensor([5, 2], dtype=torch.int16)
    crop = CropLesions((24, 22, 20), coarse_prob=1.0)
    crop.set_random_state(0)
    item = crop(case)
    expected = torch.nn.functional.avg_pool3d(case["image"], 2)
    torch.testing.assert_close(item["image"], expected, equal_nan=True)
    assert set(item["label"][1].unique().tolist()) == {0, 1}
    assert set(item["label"][0].unique().tolist()) <= {-1, 0, 1, 3}
