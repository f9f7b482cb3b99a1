from __future__ import annotations

import re
import time
from typing import Any

import numpy as np
import pytest
import torch
from monai.utils import set_determinism

from scripts.lidia.data.augmentation import (
    DropPhases,
    JitterIntensity,
    ShiftPhases,
    augmentation,
    shift_volume,
)
from scripts.lidia.data.lesion_crop import CropLesions, find_crop_centres

SHAPE = (70, 60, 50)


def cached_case(absent: tuple[int, ...] = (3,), seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    image = torch.as_tensor(random.normal(0, 0.1, (4, *SHAPE)), dtype=torch.float16)
    image[list(absent)] = torch.nan
    label = torch.zeros((2, *SHAPE), dtype=torch.int16)
    label[0, 5:60, 5:50, 5:45] = 1
    for number, (kind, x) in enumerate(((2, 8), (7, 20), (7, 30), (7, 40), (9, 50)), start=1):
        label[0, x : x + 4, 20:24, 20:24], label[1, x : x + 4, 20:24, 20:24] = kind, number
    label[0, 55:57, 40, 40] = -1
    return {"image": image, "label": label, "landmarks": find_crop_centres(label), "id": "P1"}


def test_output_is_plain_and_whole() -> None:
    got = augmentation(crop=(32, 24, 16))(cached_case())
    assert type(got["image"]) is torch.Tensor and type(got["label"]) is torch.Tensor
    assert got["image"].dtype == torch.float32 and got["image"].shape == (4, 32, 24, 16)
    assert got["label"].dtype == torch.int16 and got["label"].shape == (2, 32, 24, 16)
    assert set(got) == {"image", "label", "id"}


def test_the_cached_case_is_left_alone() -> None:
    case = cached_case()
    before = case["image"].clone(), case["label"].clone()
    run = augmentation(crop=SHAPE)
    for _ in range(3):
        run(case)
    assert torch.equal(case["image"].nan_to_num(9), before[0].nan_to_num(9))
    assert torch.equal(case["label"], before[1])


def test_same_seed_same_crops() -> None:
    def draw(seed: int) -> torch.Tensor:
        set_determinism(seed)
        run = augmentation(crop=(24, 24, 24))
        run.set_random_state(seed)
        return torch.stack([run(cached_case())["image"] for _ in range(4)]).nan_to_num(9)

    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))


def test_landmarks_are_at_their_stated_positions() -> None:
    case = cached_case()
    marks = case["landmarks"].long()
    x, y, z = marks[:, :3].T
    assert torch.equal(case["label"][0, x, y, z].long(), marks[:, 3])
    assert torch.equal(case["label"][1, x, y, z].long(), marks[:, 4])
    assert set(marks[:, 4].tolist()) == set(range(6)) and (marks[:, 3] >= 0).all()


def test_classes_are_drawn_evenly_among_those_present() -> None:
    cut = CropLesions((16, 16, 16), lesion_share=0.85)
    cut.set_random_state(0)
    marks = cached_case()["landmarks"].numpy()
    label = cached_case()["label"]
    kinds = np.array([int(label[(0, *cut.draw_voxel(marks))]) for _ in range(2000)])
    assert abs((kinds >= 2).mean() - 0.85) < 0.03
    shares = [(kinds == kind).sum() / (kinds >= 2).sum() for kind in (2, 7, 9)]
    np.testing.assert_allclose(shares, 1 / 3, atol=0.05)
    assert (kinds == 0).any() and (kinds == 1).any()


def test_the_chosen_voxel_is_in_the_crop() -> None:
    case = cached_case()
    cut = CropLesions((16, 20, 24), lesion_share=1.0)
    cut.set_random_state(0)
    for _ in range(50):
        assert (cut(case)["label"][0] >= 2).any()


def test_a_case_without_lesion_or_landmarks() -> None:
    case = cached_case()
    case["label"] = (case["label"][0] > 0).to(torch.int16)[None].repeat(2, 1, 1, 1)
    case["label"][1] = 0
    del case["landmarks"]
    assert CropLesions((16, 16, 16))(case)["label"].shape == (2, 16, 16, 16)


def test_small_volumes_are_padded_with_air_or_absence() -> None:
    case = cached_case(absent=(0, 3))
    got = CropLesions((90, 40, 64))(case)
    image = got["image"]
    assert image.shape == (4, 90, 40, 64)
    assert torch.isnan(image[[0, 3]]).all() and not torch.isnan(image[[1, 2]]).any()
    assert (image[1, :10] == -1).all() and (image[1, -10:] == -1).all() and (got["label"][:, :10] == 0).all()
    assert torch.equal(image[1, 10:80, :, 7:57].mean((1, 2)) != -1, torch.ones(70, dtype=torch.bool))


def test_a_handler_can_change_size_and_samples() -> None:
    cut = CropLesions((16, 16, 16))
    run = augmentation(crop=cut)
    cut.size, cut.samples = (24, 20, 12), 3
    got = run(cached_case())
    assert len(got) == 3 and all(item["image"].shape == (4, 24, 20, 12) for item in got)
    assert not torch.equal(got[0]["label"], got[1]["label"]) or not torch.equal(
        got[1]["label"], got[2]["label"]
    )
    for wrong in ((1, 2), (0, 4, 4)):
        with pytest.raises(ValueError, match=re.escape(f"size {wrong}")):
            cut.size = wrong  # type: ignore[assignment]
    with pytest.raises(ValueError, match="samples 0"):
        cut.samples = 0


def test_every_subset_of_phases_occurs() -> None:
    drop = DropPhases()
    drop.set_random_state(0)
    subsets: dict[tuple[int, ...], int] = {}
    for _ in range(4000):
        remaining = tuple(drop.choose_phases([0, 1, 2, 3]))
        subsets[remaining] = subsets.get(remaining, 0) + 1
    assert len(subsets) == 15 and () not in subsets
    assert subsets[(0, 1, 2, 3)] > 0.5 * 4000 and subsets[(0, 1, 2)] > 1.5 * subsets[(1, 2, 3)]


def test_lost_phases_are_nan_and_one_stays() -> None:
    drop = DropPhases({"nc": 1.0, "venous": 1.0}, random_subset_prob=0.0)
    image = cached_case(absent=(3,))["image"].float()
    got = drop({"image": image.clone()})["image"]
    assert torch.isnan(got[[0, 2, 3]]).all() and torch.equal(got[1], image[1])
    alone = cached_case(absent=(1, 2, 3))["image"].float()
    assert not torch.isnan(drop({"image": alone})["image"][0]).any()
    with pytest.raises(ValueError, match="portal"):
        DropPhases({"portal": 0.5})


def test_shift_moves_each_phase_on_its_own() -> None:
    ramp = torch.arange(20.0)[:, None, None].expand(20, 12, 12) + 0.1 * torch.arange(12.0)[None, :, None]
    got = shift_volume(ramp, (0.25, -0.5, 1.0))
    torch.testing.assert_close(got[1:-1, 1:-1, 1:-1], ramp[1:-1, 1:-1, 1:-1] - 0.25 + 0.05)
    shift = ShiftPhases(1.0, prob=1.0)
    shift.set_random_state(0)
    image = torch.stack([ramp, ramp, ramp, torch.full_like(ramp, torch.nan)])
    out = shift({"image": image.clone()})["image"]
    offsets = (out - ramp)[:3, 5:-5, 5:-5, 5:-5].flatten(1)
    assert (offsets.std(1) < 1e-4).all() and offsets.mean(1).unique().numel() == 3
    assert torch.equal(out[2], ramp), "the label was drawn on the venous phase"
    assert torch.isnan(out[3]).all()


def test_one_draw_of_intensity_serves_all_phases() -> None:
    jitter = JitterIntensity(noise=0.0, prob=1.0)
    jitter.set_random_state(0)
    image = torch.rand(4, 8, 8, 8) * 1.6 - 0.8
    image[1], image[3] = image[0], torch.nan
    changes = []
    for _ in range(40):
        got = jitter({"image": image.clone()})["image"]
        assert torch.equal(got[0], got[1]) and torch.isnan(got[3]).all() and not torch.isnan(got[:3]).any()
        changes.append(float((got[0] - image[0]).abs().mean()))
    assert 0.005 < np.mean(changes) < 0.1
    noisy = JitterIntensity(0, 0, 0, noise=0.1, prob=1.0)
    noisy.set_random_state(1)
    spread = [float((noisy({"image": image.clone()})["image"][0] - image[0]).std()) for _ in range(30)]
    assert min(spread) == 0 and 0.02 < max(spread) <= 0.105


def test_a_crop_is_cheap() -> None:
    """15 ms of one core a crop of 48 voxels: a step of training takes some 200."""
    case = cached_case()
    run = augmentation(crop=(48, 48, 48))
    run(case)
    times = []
    for _ in range(30):
        start = time.process_time()
        run(case)
        times.append(time.process_time() - start)
    assert np.median(times) < 0.015
