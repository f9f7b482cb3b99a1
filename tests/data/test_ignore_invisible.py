"""Lesions that no phase shows are ignored."""

from __future__ import annotations

import pytest
import torch

from scripts.lidia.data.ignore_invisible import IgnoreInvisible
from scripts.lidia.vocabulary import IGNORED

# window -200 to 400: one HU is 1/300
HU = 1 / 300


def make_item(contrasts: tuple[float, float], noise: float = 0.0) -> dict[str, torch.Tensor]:
    """Two phases with one lesion of the given contrasts (HU) in a liver of 100 HU."""
    label = torch.zeros((2, 24, 24, 16), dtype=torch.int16)
    label[0, 2:22, 2:22, 2:14] = 1
    label[:, 8:14, 8:14, 5:10] = torch.tensor([4, 1], dtype=torch.int16)[:, None, None, None]
    image = torch.full((4, 24, 24, 16), torch.nan)
    for channel, contrast in zip((1, 2), contrasts, strict=True):
        image[channel] = torch.where(label[1] == 1, contrast * HU, 0.0)
        image[channel] += (
            torch.randn(image[channel].shape, generator=torch.Generator().manual_seed(0)) * noise * HU
        )
    return {"image": image, "label": label}


VISIBLE = [((0.0, 8.0), True), ((-8.0, 0.0), True), ((0.0, 2.0), False), ((0.0, 0.0), False)]


@pytest.mark.parametrize(("contrasts", "visible"), VISIBLE)
def test_one_phase_must_show_it(contrasts: tuple[float, float], visible: bool) -> None:
    label = IgnoreInvisible(5.0)(make_item(contrasts, noise=10.0))["label"]
    lesion = (slice(8, 14), slice(8, 14), slice(5, 10))
    assert (label[0][lesion] == (4 if visible else IGNORED)).all()
    assert (label[1][lesion] == (1 if visible else 0)).all()
    assert (label[0] == 1).sum() == 20 * 20 * 12 - 6 * 6 * 5


def test_a_dark_core_in_a_bright_rim_is_visible() -> None:
    """The mean is that of the liver, the parts are not."""
    item = make_item((0.0, 0.0))
    item["image"][2, 8:11, 8:14, 5:10] = 20 * HU
    item["image"][2, 11:14, 8:14, 5:10] = -20 * HU
    assert (IgnoreInvisible(5.0)(item)["label"][1] == 1).any()


def test_a_lesion_without_liver_beside_it_is_kept() -> None:
    item = make_item((0.0, 0.0))
    item["label"][0][item["label"][0] == 1] = 0
    assert (IgnoreInvisible(5.0)(item)["label"][1] == 1).sum() == 6 * 6 * 5
