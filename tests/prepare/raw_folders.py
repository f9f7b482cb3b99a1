"""Helpers for tests of nnU-Net's folders: export, the fault of a call, names and voxels of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.prepare_data import prepare

NAME = "Dataset501_LIDIA"


def export(folder: Path, out: Path, **options: Any) -> Path:
    prepare(source="to_nnunet", input_dir=folder, dataset_dir=out / NAME, **options)
    return out / NAME


def fault_of(**options: Any) -> CaseError:
    with pytest.raises(CaseError) as caught:
        prepare(**options)
    assert caught.value.problem and caught.value.remedy
    return caught.value


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def voxels(path: str | Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)
