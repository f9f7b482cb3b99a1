"""The phantom image on which exported networks are compared."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scripts.lidia.components import find_bounding_box
from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.datalist.read_datalist import load_datalist


@pytest.fixture(scope="module")
def phantom(cohort: Path) -> torch.Tensor:
    """A box (1, 4, 64, 64, 48) with the lesions of a phantom, all four phases, as inference reads it."""
    item = load_datalist(cohort, "training", complete_only=True)[0]
    case = preprocessing(labels="network")(item)
    box = find_bounding_box(case["label"][0].numpy() > 1)
    assert box is not None
    cut = []
    for side, size, complete in zip(box, (64, 64, 48), case["image"].shape[1:], strict=True):
        start = min(max((side.start + side.stop - size) // 2, 0), complete - size)
        cut.append(slice(start, start + size))
    return case["image"].as_tensor()[(slice(None), *cut)][None].contiguous()
