"""The inverse transform onto the native grid equals MONAI's and covers only the needed box."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from inference.test_inference import turned
from monai.transforms import Invertd
from training.toys import write_patient

from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.inference.native_grid import to_native_grid
from scripts.lidia.inference.postprocessing import copy_metadata
from scripts.lidia.postprocess.diagnosis import diagnose
from scripts.lidia.vocabulary import BACKGROUND, LIVER


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("tilt", [0.0, 0.3])
@pytest.mark.parametrize("place", [(slice(5, 12), slice(3, 9), slice(4, 8)), (slice(None),) * 3])
def test_the_native_grid_equals_monai_s_inverse(
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
    item = copy_metadata({**item, "pred": maps})
    theirs = Invertd("pred", before, "image", nearest_interp=False)(dict(item))["pred"]
    ours = to_native_grid(item["pred"])
    reference = theirs.numpy().sum(axis=0) > 0  # MONAI knows nothing of the air that was cut off
    assert reference.mean() > 0.9
    np.testing.assert_allclose(ours.full_maps()[:, reference], theirs.numpy()[:, reference], atol=1e-4)
    np.testing.assert_allclose(ours.native, theirs.affine, atol=1e-5)
    if place[0].start:
        assert ours.maps[0].size < 0.5 * theirs[0].numel(), "the rest of the body is not resampled"


def read_patient(folder: Path, spacing: float) -> dict[str, Any]:
    """A patient with a venous phase on a grid of equal spacing, in mm."""
    write_patient(folder, 0)
    phases = {"venous": str(folder / "0_venous.nii.gz")}
    return preprocessing(spacing=(spacing,) * 3)({"id": "t", "phases": phases})


def test_a_mask_of_the_user_is_in_the_box(tmp_path: Path) -> None:
    item = read_patient(tmp_path, 3.0)
    maps = torch.zeros(10, *item["image"].shape[1:])
    maps[BACKGROUND] = 1.0
    pred = copy_metadata({**item, "pred": maps})["pred"]
    nothing = to_native_grid(pred)
    assert nothing.maps[0].size <= 64 and (nothing.full_maps()[BACKGROUND] == 1).all()
    inputs = np.zeros(nothing.shape, bool)
    inputs[4:8, 3:9, 2:5] = True
    assert to_native_grid(pred, inputs).box[0].stop >= 8 and to_native_grid(pred, inputs).box[2].stop >= 5


def test_a_diagnosis_needs_no_more_than_its_reach(tmp_path: Path) -> None:
    """Lesions, liver and scores of the near box are those of the whole map, in a fraction of the voxels."""
    item = read_patient(tmp_path, 4.0)
    shape = item["image"].shape[1:]
    maps = torch.rand(10, *shape) * 0.02
    maps[BACKGROUND] = 0.5
    maps[LIVER, 18:28, 16:26, 12:20] = 0.9
    maps[2, 20:23, 18:21, 14:17] = 2.0
    maps /= maps.sum(dim=0)
    pred = copy_metadata({**item, "pred": maps})["pred"]
    near, complete = to_native_grid(pred, reach_mm=3.0), to_native_grid(pred)
    assert near.maps.size < 0.2 * complete.maps.size
    diagnoses = [
        diagnose(part.maps, np.linalg.norm(part.affine[:3, :3], axis=0), part.affine)
        for part in (near, complete)
    ]
    assert diagnoses[0].livermax == pytest.approx(diagnoses[1].livermax, abs=1e-5)
    assert (
        [entry["volume_mm3"] for entry in diagnoses[0].records]
        == [entry["volume_mm3"] for entry in diagnoses[1].records]
        != []
    )
    for name in ("classes", "liver", "instances"):
        mine, theirs = (
            part.to_full_volume(getattr(entry, name))
            for part, entry in zip((near, complete), diagnoses, strict=True)
        )
        assert np.array_equal(mine, theirs)
    maps[3, 12, 10, 6] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        diagnose(to_native_grid(pred, reach_mm=3.0).maps, (4.0, 4.0, 4.0), near.affine)


def test_the_box_contains_lesions_whose_probability_is_divided_among_the_types(tmp_path: Path) -> None:
    item = read_patient(tmp_path, 4.0)
    maps = torch.zeros(10, *item["image"].shape[1:])
    maps[BACKGROUND] = 1.0
    divided = torch.tensor([0.4, 0.0, *[0.075] * 8])  # background is the most probable class
    maps[:, 8:12, 10:14, 6:9] = divided[:, None, None, None]
    pred = copy_metadata({**item, "pred": maps})["pred"]
    near = to_native_grid(pred, reach_mm=3.0)
    spacing = np.linalg.norm(near.affine[:3, :3], axis=0).tolist()
    (record,) = diagnose(near.maps, spacing, near.affine, liver_share=0.0).records
    assert record["volume_mm3"] == pytest.approx(4 * 4 * 3 * 4.0**3, rel=0.5)
    faint = maps * torch.tensor([1.0, *[0.4] * 9])[:, None, None, None]
    faint[BACKGROUND] = 1 - faint[1:].sum(0)
    faint_pred = copy_metadata({**item, "pred": faint})["pred"]
    boxes = [to_native_grid(faint_pred, reach_mm=3.0, lesion_threshold=value).box for value in (0.5, 0.2)]
    assert boxes[0] != boxes[1] == near.box


def test_a_prediction_without_metadata_or_on_another_grid_is_refused(tmp_path: Path) -> None:
    write_patient(tmp_path, 0)
    image = preprocessing()({"id": "t", "phases": {"venous": str(tmp_path / "0_venous.nii.gz")}})["image"]
    with pytest.raises(ValueError, match="metadata"):
        copy_metadata({"pred": image, "image": image.as_tensor()})
    with pytest.raises(ValueError, match="grid"):
        copy_metadata({"pred": torch.zeros(10, 4, 4, 4), "image": image})
