"""Training on unlabelled CT: a computed abdomen stands for the scan."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import create_workflow

from scripts.lidia.data import background_cases
from scripts.lidia.data.augmentation import augmentation
from scripts.lidia.data.background_cases import BackgroundCases, read_on_grid
from scripts.lidia.data.lesion_crop import CropLesions
from scripts.lidia.data.mixed_cases import MixedCases
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_backgrounds import load_backgrounds
from scripts.lidia.loss.semantic_loss import SemanticLoss
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION, IGNORED, LIVER

SPACING = (4.0, 4.0, 4.0)
IMPLANTS = 2


@pytest.fixture(scope="module")
def datalist(files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list with one background, part of whose liver is marked as a lesion that the patient has."""
    folder = tmp_path_factory.mktemp("backgrounds")
    liver = nib.load(files["liver"])
    voxels = np.asarray(liver.dataobj) > 0
    x, y, z = (int(place.mean()) for place in np.nonzero(voxels))
    own = np.zeros(voxels.shape, np.uint8)
    own[x - 9 : x + 9, y - 9 : y + 9, z - 2 : z + 3] = 1
    nib.save(nib.Nifti1Image(own, liver.affine), folder / "own.nii.gz")
    item = {
        "id": "ct",
        "phases": {"venous": files["venous"]},
        "liver": files["liver"],
        "ignored": "own.nii.gz",
    }
    path = folder / "backgrounds.json"
    path.write_text(json.dumps({"training": [item]}))
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def make_cases(
    datalist: Path, cache: Path, crop: CropLesions | None = None, **settings: float
) -> BackgroundCases:
    crop = crop or CropLesions((32, 32, 16))
    transform = augmentation(crop=crop, random_subset_prob=0.0, lose={})
    return BackgroundCases(
        load_backgrounds(datalist),
        transform,
        spacing=SPACING,
        cache_dir=cache,
        implants_per_background=IMPLANTS,
        **settings,
    )


def test_visits_have_lesions_of_known_types_and_the_patients_own_lesion_is_ignored(
    datalist: Path, cache: Path
) -> None:
    cases = make_cases(datalist, cache, CropLesions((64, 64, 40)), no_lesion_prob=0.0, scanned_only_prob=0.0)
    assert len(cases) == IMPLANTS
    cases.set_random_state(0)
    background, own = read_on_grid(load_backgrounds(datalist)[0], SPACING)
    instances = 0
    for index in range(IMPLANTS):
        item = cases[index]
        label = item["label"]
        assert item["image"].dtype == torch.float32 and item["image"].abs().nan_to_num(0).max() < 3
        assert set(label[0].unique().tolist()) <= {IGNORED, 0, LIVER, *range(FIRST_LESION, len(CLASSES))}
        assert torch.equal(label[1] > 0, label[0] >= FIRST_LESION)
        assert (label[0] == IGNORED).sum() == own.sum() > 0
        assert (label[0] != 0).sum() == background.liver.sum()
        instances += len(label[1].unique()) - 1
    assert instances > 0


def test_the_cache_is_used_and_another_seed_is_not_in_it(
    datalist: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_cases(datalist, cache)
    first.set_random_state(5)
    image = first[0]["image"]

    def refuse(background: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(background_cases, "measure_anatomy", refuse)
    again = make_cases(datalist, cache)
    again.set_random_state(5)
    torch.testing.assert_close(again[0]["image"], image, equal_nan=True)
    with pytest.raises(AssertionError, match="measured again"):
        make_cases(datalist, cache, seed=1)[0]


def test_a_background_without_implant_has_no_lesion(datalist: Path, cache: Path) -> None:
    cases = make_cases(datalist, cache, no_lesion_prob=1.0, scanned_only_prob=1.0)
    cases.set_random_state(1)
    for index in range(IMPLANTS):
        item = cases[index]
        assert not item["label"][1].any() and int(item["label"][0].max()) <= LIVER
        assert torch.isnan(item["image"]).flatten(1).all(1).tolist() == [True, True, False, True]


def test_ignored_voxels_have_no_gradient(datalist: Path, cache: Path) -> None:
    cases = make_cases(datalist, cache, CropLesions((64, 64, 40)), no_lesion_prob=0.0)
    cases.set_random_state(0)
    label = cases[0]["label"][None]
    logits = torch.randn((1, len(CLASSES), *label.shape[2:]), requires_grad=True)
    torch.manual_seed(0)
    semantic_loss = SemanticLoss(points=200_000, foreground=0.05)
    semantic_loss(logits, label.long(), semantic_loss.draw(label.long())).backward()
    gradient = logits.grad.abs().sum(1)[0]
    ignored = label[0, 0] == IGNORED
    assert ignored.any() and not gradient[ignored].any() and gradient[~ignored].any()


def test_a_list_without_masks_or_no_list_is_one_error(tmp_path: Path, files: dict[str, str]) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"training": [{"id": "P7", "phases": {"venous": files["venous"]}}]}))
    with pytest.raises(CaseError) as caught:
        load_backgrounds(path)
    assert (caught.value.code, caught.value.case) == ("no_liver_mask", "P7")
    with pytest.raises(CaseError) as caught:
        load_backgrounds(None)
    assert "--backgrounds" in caught.value.remedy


def test_a_fold_leaves_scans_out(datalist: Path, files: dict[str, str]) -> None:
    with pytest.raises(CaseError) as caught:
        load_backgrounds(datalist, leave_out=["nobody"])
    assert caught.value.code == "unknown_case"
    assert load_backgrounds(datalist, leave_out=["ct"]) == []


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.5, 6), (0.7, 13)])
def test_the_mix_has_the_stated_share(share: float, expected: int) -> None:
    mixed = MixedCases(["a", "b", "c", "d", "e", "f"], ["x", "y"], share)  # type: ignore[arg-type]
    items = [mixed[index] for index in range(len(mixed))]
    assert [items.count(name) for name in "abcdef"] == [1] * 6
    assert items.count("x") + items.count("y") == expected
    few = MixedCases(["a"], ["t", "u", "v", "w", "x", "y"], 0.7)  # type: ignore[arg-type]
    assert {few[index] for index in range(len(few))} == set("atuvwxy")
    with pytest.raises(ValueError, match=r"1\.0"):
        MixedCases(["a"], ["b"], 1.0)  # type: ignore[arg-type]


BASELINES = {"lidia": [], "unet": ["unet"], "nnunet": ["nnunet", "nnunet_adamw"]}
"""Overlays of the loss and optimizer of each network."""


@pytest.mark.filterwarnings("ignore:parsing config_file")
@pytest.mark.parametrize("kind", BASELINES)
def test_the_overlay_trains_each_network_on_a_scan_and_phantoms(
    kind: str, datalist: Path, cohort: Path, bundle: Path, tmp_path: Path, cache: Path
) -> None:
    small = tmp_path / "small.yaml"
    small.write_text(
        "spacing: [4.0, 4.0, 4.0]\npatch_size: [32, 32, 16]\nprecision: fp32\nimplants_per_background: 2\n"
        "val_interval: 5\ntrain#stages: {full: {start: 0.0, decoding: true, crop: [32, 32, 16], cases: 2}}\n"
    )
    overlays = bundle / "configs/overlays"
    files = [bundle / "configs/train.json", overlays / "recipes/real_ct.yaml"]
    if BASELINES[kind]:
        files.append(overlays / f"networks/{kind}.yaml")
    files += [overlays / f"baselines/{name}.yaml" for name in BASELINES[kind]]
    workflow = create_workflow(
        config_file=[str(file) for file in [*files, small]],
        workflow_type="train",
        meta_file=str(bundle / "configs/metadata.json"),
        logging_file=False,
        run_id="training",
        dataset_dir=str(cohort),
        backgrounds=str(datalist),
        output_dir=str(tmp_path / "run"),
        cache_dir=str(cache),
        max_epochs=1,
        steps_per_epoch=2,
    )
    workflow.initialize()
    workflow.run()
    log = (tmp_path / "run/training.log").read_text()
    assert "nan" not in log.lower()
    # the shipped weights are those of LIDIA; another network starts without them
    assert ("models/model.pt" in log) == (kind == "lidia")
    trainer = workflow.parser.get_parsed_content("train#trainer")
    assert trainer.state.iteration == 2 and all(np.isfinite(v) for v in trainer.state.metrics.values())
    assert len(trainer.state.metrics) > 0
