from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ct_files import write_ct, write_label
from monai.data import DataLoader, decollate_batch, list_data_collate
from monai.transforms import Invertd
from torch.utils.data import Subset

from scripts.lidia.data.augmentation import augmentation
from scripts.lidia.data.cache import CachedCases
from scripts.lidia.data.lesion_crop import CropLesions
from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.datalist.case_error import CaseError


@pytest.fixture
def items(tmp_path: Path) -> list[dict[str, Any]]:
    collected = []
    for name, hu in (("P1", 60.0), ("P2", 100.0)):
        venous, affine = write_ct(tmp_path / name / "v.nii.gz", (30, 30, 24), (4, 4, 5), liver_hu=hu)
        label = write_label(tmp_path / name / "l.nii.gz", affine, (30, 30, 24))
        collected.append({"id": name, "phases": {"venous": venous}, "label": label})
    return collected


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.pt") if not path.name.startswith("."))


def network(**options: Any) -> Any:
    return preprocessing(spacing=(5, 5, 5), labels="network", **options)


def test_second_reading_is_the_first(items: list[dict[str, Any]], tmp_path: Path, monkeypatch: Any) -> None:
    data = CachedCases(data=items, transform=network(), cache_dir=tmp_path / "cache")
    first = data[0]
    assert first["image"].dtype == torch.float32 and type(first["image"]) is torch.Tensor
    assert set(first) == {"image", "label", "id"} and len(files(tmp_path)) == 1
    fresh = network()(items[0])
    torch.testing.assert_close(first["image"], fresh["image"].as_tensor(), atol=1e-3, rtol=0, equal_nan=True)
    assert torch.equal(first["label"], fresh["label"].as_tensor())
    monkeypatch.setattr(CachedCases, "_pre_transform", None)
    monkeypatch.setattr(data, "transform", None)
    again = data[0]
    assert torch.equal(first["image"].nan_to_num(9), again["image"].nan_to_num(9)) and again["id"] == "P1"


def test_stored_is_small_and_loads_without_trust(items: list[dict[str, Any]], tmp_path: Path) -> None:
    CachedCases(data=items, transform=network(margin_mm=10.0), cache_dir=tmp_path / "cache")[1]
    stored = torch.load(files(tmp_path)[0], weights_only=True)  # noqa: TID251
    assert stored["image"].dtype == torch.float16 and stored["label"].dtype == torch.int16
    assert {k: type(v) for k, v in stored.items()}["image"] is torch.Tensor and stored["id"] == "P2"


def test_other_settings_are_another_cache(items: list[dict[str, Any]], tmp_path: Path) -> None:
    for options in ({}, {"margin_mm": 10.0}, {"window": (-100.0, 300.0)}, {"min_lesion_mm3": 3.0}):
        CachedCases(data=items, transform=network(**options), cache_dir=tmp_path / "cache")[0]
    assert len({path.parent for path in files(tmp_path)}) == 4
    CachedCases(data=items, transform=network(), cache_dir=tmp_path / "cache")[0]
    assert len(files(tmp_path)) == 4
    for labels, crops in ((None, None), ("native", augmentation())):
        with pytest.raises(ValueError, match=f"labels={labels!r}"):
            CachedCases(data=items, transform=preprocessing(labels=labels), augmentation=crops)


def test_a_changed_file_is_another_case(items: list[dict[str, Any]], tmp_path: Path) -> None:
    data = CachedCases(data=items, transform=network(), cache_dir=tmp_path / "cache")
    before = data[0]["image"]
    write_ct(Path(items[0]["phases"]["venous"]), (30, 30, 24), (4, 4, 5), liver_hu=150, seed=1)
    assert float((data[0]["image"][2] - before[2]).abs().max()) > 0.1 and len(files(tmp_path)) == 2


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half of it", None])
def test_half_a_file_is_made_again(items: list[dict[str, Any]], tmp_path: Path, damage: bytes | None) -> None:
    data = CachedCases(data=items, transform=network(), cache_dir=tmp_path / "cache")
    before = data[0]["image"].nan_to_num(9).clone()
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if damage is None else damage)
    assert torch.equal(data[0]["image"].nan_to_num(9), before)
    assert list(path.parent.glob(".*")) == []


def test_a_killed_write_is_never_read(items: list[dict[str, Any]], tmp_path: Path) -> None:
    def die(created: Any, path: Path) -> None:
        Path(path).write_bytes(b"half")
        os._exit(9)

    def run() -> None:
        torch.save = die
        CachedCases(data=items, transform=network(), cache_dir=tmp_path / "cache")[0]

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(60)
    assert process.exitcode == 9 and files(tmp_path) == []
    assert CachedCases(data=items, transform=network(), cache_dir=tmp_path / "cache")[0]["id"] == "P1"


def test_other_cases_leave_the_cache_alone(items: list[dict[str, Any]], tmp_path: Path) -> None:
    data = CachedCases(data=items, transform=network(), cache_dir=tmp_path / "cache")
    data[0]
    data.set_data(items[1:])
    assert data[0]["id"] == "P2" and len(files(tmp_path)) == 2


def test_evaluation_finds_its_way_back_from_the_cache(items: list[dict[str, Any]], tmp_path: Path) -> None:
    items[0]["malignant"] = {"1": True}
    transform = preprocessing(labels="native")
    fresh = transform(items[0])
    data = CachedCases(data=items, transform=transform, cache_dir=tmp_path / "cache")
    first = data[0]["image"]
    (remaining,) = DataLoader(Subset(data, [0]), num_workers=1, collate_fn=list_data_collate)
    remaining = decollate_batch(remaining)[0]
    assert remaining["malignant"] == {"1": True} and remaining["phases_used"] == ["venous"]
    assert torch.equal(remaining["label"], fresh["label"]) and torch.equal(
        first.isnan(), fresh["image"].isnan()
    )
    torch.testing.assert_close(remaining["image"][2], fresh["image"][2], atol=1e-3, rtol=0)
    for item, way in ((remaining, preprocessing(labels="native")), (fresh, transform)):
        back = Invertd("pred", way, "image", nearest_interp=False)
        item["back"] = back({**item, "pred": item["image"][2:3]})["pred"]
    assert remaining["back"].shape == (1, 30, 30, 24)
    torch.testing.assert_close(remaining["back"].affine, fresh["back"].affine)
    torch.testing.assert_close(remaining["back"], fresh["back"], atol=1e-3, rtol=0)
    assert remaining["label"].affine.equal(fresh["label"].affine)


def test_without_folder_nothing_is_stored(items: list[dict[str, Any]], tmp_path: Path) -> None:
    assert CachedCases(data=items, transform=network())[0]["id"] == "P1" and files(tmp_path) == []


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_see_a_new_crop_size(items: list[dict[str, Any]], tmp_path: Path, persistent: bool) -> None:
    cut = CropLesions((8, 8, 8), samples=2)
    data = CachedCases(
        data=items, transform=network(), augmentation=augmentation(crop=cut), cache_dir=tmp_path / "cache"
    )
    loader = DataLoader(
        data, batch_size=2, num_workers=1, persistent_workers=persistent, collate_fn=list_data_collate
    )
    assert [tuple(batch["image"].shape) for batch in loader] == [(4, 4, 8, 8, 8)]
    cut.size, cut.samples = (12, 10, 8), 1
    assert [tuple(batch["label"].shape) for batch in loader] == [(2, 2, 12, 10, 8)]


def test_a_bad_case_is_named_from_a_worker(items: list[dict[str, Any]], tmp_path: Path) -> None:
    path = Path(items[1]["phases"]["venous"])
    path.write_bytes(path.read_bytes()[:2000])
    loader = DataLoader(
        CachedCases(data=items, transform=network(), cache_dir=tmp_path / "cache"), num_workers=1
    )
    try:
        list(loader)
    except CaseError as error:
        fault = error.with_traceback(None)
    assert "Traceback" not in str(fault) and (fault.case, fault.file, fault.code) == (
        "P2",
        str(path),
        "truncated",
    )
    assert np.array_equal(sorted(p.suffix for p in files(tmp_path)), [".pt"])
