"""The way back onto the native grid is MONAI's, and goes no further than something was seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from engine.test_inference import turned
from engine.toys import write_patient
from monai.transforms import Invertd

from scripts.lidia.data import RequireMeta, preprocessing
from scripts.lidia.engine.restoring import restored
from scripts.lidia.vocabulary import BACKGROUND, LIVER


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("tilt", [0.0, 0.3])
@pytest.mark.parametrize("place", [(slice(5, 12), slice(3, 9), slice(4, 8)), (slice(None),) * 3])
def test_it_is_monai_s_inverse(
    tmp_path: Path, axes: tuple[int, ...], tilt: float, place: tuple[slice, ...]
) -> None:
    write_patient(tmp_path, 0)
    turned(tmp_path / "0_venous.nii.gz", tmp_path / "turned.nii.gz", axes, (True, False, True), tilt)
    before = preprocessing(spacing=(3.0, 3.5, 4.0))
    item = before({"id": "toy", "phases": {"venous": str(tmp_path / "turned.nii.gz")}})
    maps = torch.zeros(10, *item["image"].shape[1:])
    maps[BACKGROUND] = 1.0
    share = torch.rand(maps[0][place].shape)
    maps[BACKGROUND][place], maps[LIVER][place] = share, 1 - share
    item = RequireMeta()({**item, "pred": maps})
    theirs = Invertd("pred", before, "image", nearest_interp=False)(dict(item))["pred"]
    ours = restored(item["pred"])
    np.testing.assert_allclose(ours.whole_maps(), theirs.numpy(), atol=1e-5)
    np.testing.assert_allclose(ours.native, theirs.affine, atol=1e-9)
    if place[0].start:
        assert ours.maps[0].size < 0.5 * theirs[0].numel(), "the rest of the body is not resampled"


def test_a_mask_of_the_user_is_in_the_box(tmp_path: Path) -> None:
    write_patient(tmp_path, 0)
    item = preprocessing(spacing=(3.0, 3.0, 3.0))({
        "id": "t",
        "phases": {"venous": str(tmp_path / "0_venous.nii.gz")},
    })
    maps = torch.zeros(10, *item["image"].shape[1:])
    maps[BACKGROUND] = 1.0
    pred = RequireMeta()({**item, "pred": maps})["pred"]
    nothing = restored(pred)
    assert nothing.maps[0].size <= 64 and (nothing.whole_maps()[BACKGROUND] == 1).all()
    given = np.zeros(nothing.shape, bool)
    given[4:8, 3:9, 2:5] = True
    assert restored(pred, given).box[0].stop >= 8 and restored(pred, given).box[2].stop >= 5
