"""A key or `_target_` of an earlier release is refused, and the error names the new one."""

from __future__ import annotations

import re
from pathlib import Path
from pydoc import locate

import pytest
from monai.bundle import create_workflow

from scripts.lidia.options.renamed_keys import RENAMED_KEYS, RENAMED_TARGETS, find_new_key, find_new_target

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

BUNDLE = Path(__file__).parents[2] / "lidia_bundle"
TRAIN = BUNDLE / "configs/train.json"


def refuse(overlay: Path, config: Path = TRAIN) -> str:
    """Return the text of the error that an overlay on a config ends in."""
    files = [str(config), str(overlay)]
    with pytest.raises(RuntimeError) as raised:
        create_workflow(config_file=files, logging_file=False, workflow_type=None)
    problem: BaseException = raised.value
    while problem.__cause__ is not None:
        problem = problem.__cause__
    return str(problem)


@pytest.mark.parametrize("old", [key for key in RENAMED_KEYS if not key.startswith("inferer")])
def test_an_old_key_of_an_overlay(old: str, tmp_path: Path) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(f"{old}: {{start: 0}}\n" if "stages" in old else f"{old}: 1\n")
    check_message(refuse(overlay), old)


@pytest.mark.parametrize("config", ["inference.json", "evaluate.json"])
@pytest.mark.parametrize("old", [key for key in RENAMED_KEYS if key.startswith("inferer")])
def test_an_old_key_of_the_inferer(old: str, config: str, tmp_path: Path) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(f"{old}: 1\n")
    check_message(refuse(overlay, BUNDLE / "configs" / config), old)


def check_message(message: str, old: str) -> None:
    assert re.search(rf"{old}\b", message) and re.search(rf"[-=]*{RENAMED_KEYS[old]}\b", message)
    assert "2.0.0" in message


def test_an_old_target_of_an_overlay(tmp_path: Path) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("network_def:\n  _target_: scripts.lidia.net.LIDIA\n  stem_stride: 2\n")
    message = refuse(overlay)
    assert "network_def" in message and "scripts.lidia.net.build_lidia.build_lidia" in message


def test_a_key_below_an_old_key() -> None:
    assert find_new_key("train#stages#0#decoding") == "train#stages#semantic#decoding"
    assert find_new_key("train#optimizer#lr") == ""


@pytest.mark.parametrize("old", RENAMED_TARGETS)
def test_new_targets_exist_and_old_ones_do_not(old: str) -> None:
    assert callable(locate(RENAMED_TARGETS[old])) and not callable(locate(old))


def test_a_target_with_its_old_module() -> None:
    root = "scripts.lidia."
    assert (
        find_new_target(f"{root}engine.cohort.CohortDataset")
        == f"{root}inference.cohort_dataset.CohortDataset"
    )
    assert find_new_target(f"{root}loss.classes.FocalLoss") == f"{root}loss.focal.FocalLoss"
    assert find_new_target(f"{root}datalist.read.datalist") == f"{root}datalist.deferred_list.defer_datalist"
    for present in ("net.lidia.LIDIA", "loss.focal.FocalLoss", "data.augmentation.augmentation"):
        assert find_new_target(root + present) == ""
    assert find_new_target("torch.optim.AdamW") == ""


def test_the_items_of_a_handler(tmp_path: Path) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text('handlers#4#items: "@dataset"\n')
    message = refuse(overlay, BUNDLE / "configs/inference.json")
    assert "handlers#4#items" in message and "2.0.0" in message


def test_the_changelog_has_the_same_table() -> None:
    text = (BUNDLE.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    pairs = set(re.findall(r"^\| `([^`]+)` \| `([^`]+)`", text, re.MULTILINE))
    expected = RENAMED_KEYS | RENAMED_TARGETS
    assert set(expected.items()) <= pairs
