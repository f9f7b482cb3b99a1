"""Real CT, where LIDIA_REAL_CT names a folder with it."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Invertd

from scripts.lidia.data.preprocessing import preprocessing

pytestmark = pytest.mark.real


def test_dicom_series_with_the_liver_of_a_peer(real_ct: Path) -> None:
    liver = real_ct / "crlm_ct_1004/liver_predicted_by_a_peer.nii.gz"
    transform = preprocessing()
    item = {"id": "crlm", "phases": {"venous": str(real_ct / "crlm_ct_1004/dicom")}, "liver": str(liver)}
    got = transform(item)
    image, mask = got["image"], got["liver"]
    assert got["warnings"] == [] and got["phases_used"] == ["venous"] and mask.shape == (1, 512, 512, 41)
    assert int(mask.sum()) == int((np.asarray(nib.load(liver).dataobj) > 0).sum())
    back = Invertd("pred", transform, "image", nearest_interp=False)({**got, "pred": image[2:3]})
    hu = 300 * back["pred"][0][mask[0] > 0].mean() + 100
    assert 80 < hu < 140, "a portal-venous liver"
    assert isinstance(image, MetaTensor) and torch.isnan(image[[0, 1, 3]]).all()


@pytest.mark.parametrize("name", ["example_ct_sm.nii.gz", "example_ct.nii.gz"])
def test_native_ct(real_ct: Path, name: str) -> None:
    got = preprocessing()({"phases": {"nc": str(real_ct / "ts_native_3mm" / name)}})
    assert got["grid_phase"] == "nc" and torch.isfinite(got["image"][0]).all()
    assert "no venous phase" in got["warnings"][-1]
    hips = name == "example_ct.nii.gz"  # which have implants
    assert [message for message in got["warnings"][:-1] if "metal" in message] == got["warnings"][:-1]
    assert len(got["warnings"]) == 1 + hips
