"""Every overlay is applied to its config and run for a few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser, create_workflow
from test_configs import CONFIGS, NATIVE, TINY, TRAINING, reason, workflow
from training.toys import SPACING, write_toys

from scripts.lidia.baselines.unet import PlainUNet
from scripts.lidia.optim.sharpness import SharpnessAware
from scripts.lidia.runtime.weights import load_weights, read_state

# MONAI's word of caution about foreign configs; these are our own.
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toys(tmp_path_factory.mktemp("toys"))


def places(toys: Path, folder: Path) -> dict[str, Any]:
    return {"dataset_dir": str(toys), "output_dir": str(folder), "cache_dir": str(folder / "cache")}


def test_sharpness_aware_training(toys: Path, tmp_path: Path) -> None:
    built = workflow("train", "recipes/sam.yaml", **TRAINING, **places(toys, tmp_path))
    assert isinstance(built.parser.get_parsed_content("train::iteration").sam, SharpnessAware)
    built.run()
    assert read_state(tmp_path / "state_epoch=3.pt")["trainer"]["iteration"] == 6


def test_finetuning_starts_from_existing_weights(toys: Path, tmp_path: Path) -> None:
    workflow("train", **TRAINING, **places(toys, tmp_path)).run()
    weights, more = tmp_path / "model.pt", tmp_path / "more"
    still = {"learning_rate": 0.0, "max_epochs": 1, "pretrained": str(weights)}
    workflow("train", "recipes/finetune.yaml", **{**TRAINING, **places(toys, more), **still}).run()
    before, after = read_state(weights), read_state(more / "state_epoch=1.pt")["network"]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_training_on_saved_labels_replaces_weights_only_by_better_ones(toys: Path, tmp_path: Path) -> None:
    workflow("train", **TRAINING, **places(toys, tmp_path)).run()
    weights = tmp_path / "model.pt"
    before, more = weights.read_bytes(), tmp_path / "more"
    options = {**TRAINING, **places(toys, more), "model_file": str(weights), "max_epochs": 1}
    built = workflow("train", "recipes/label.yaml", **{**options, "learning_rate": 0.0})
    built.run()
    best = built.parser.get_parsed_content("validate#best")
    assert best.epoch == 0 and 0.0 <= best.best <= 1.0
    assert weights.read_bytes() == before
    with pytest.raises(Exception) as caught:
        workflow("train", "recipes/label.yaml", **{**options, "validate#dataset#data": []}).run()
    assert "no validation patients" in str(reason(caught.value))
    assert weights.read_bytes() == before


def test_plain_steps_at_paper_scale() -> None:
    with_sam = workflow(
        "train", "networks/paper_scale.yaml", "recipes/paper_scale.yaml", dataset_dir="nowhere"
    )
    assert with_sam.parser["train"]["sam"]["rho"] == 0.05
    without = workflow(
        "train",
        "networks/paper_scale.yaml",
        "recipes/paper_scale.yaml",
        "ablations/no_sam.yaml",
        dataset_dir="nowhere",
    )
    assert without.parser["train"]["sam"] is None


NETWORKS = sorted(path.name for path in (CONFIGS / "overlays/networks").iterdir())


@pytest.mark.parametrize("overlay", NETWORKS)
@pytest.mark.parametrize("entry", ["train", "evaluate", "inference"])
def test_an_overlay_of_a_network_fits_every_job(entry: str, overlay: str) -> None:
    parser = ConfigParser()
    parser.read_config(CONFIGS / f"{entry}.json")
    before = set(parser.get())
    for key, value in ConfigParser.load_config_file(CONFIGS / "overlays/networks" / overlay).items():
        assert key.split("#")[0] in before, f"{entry}.json has no {key}"
        parser[key] = value
    assert parser["network_def"]["_target_"].startswith("scripts.lidia.")


def test_plain_unet_through_the_same_configs(toys: Path, tmp_path: Path) -> None:
    workflow("train", "networks/unet.yaml", "baselines/unet.yaml", **TRAINING, **places(toys, tmp_path)).run()
    load_weights(PlainUNet(channels=(8, 8, 8, 8)), tmp_path / "model.pt")
    options = {"dataset_dir": str(toys), "output_dir": str(tmp_path)}
    options["model_file"] = str(tmp_path / "model.pt")
    workflow("evaluate", "networks/unet.yaml", **NATIVE, **options).run()
    assert (tmp_path / "metrics.json").is_file()


SYSTEMS = {
    "nnunet": ["networks/nnunet.yaml", "baselines/nnunet.yaml"],
    "nnunet, AdamW": ["networks/nnunet.yaml", "baselines/nnunet.yaml", "baselines/nnunet_adamw.yaml"],
    "plan": ["networks/plan.yaml", "baselines/plan.yaml"],
    "plan, ifm": ["networks/plan.yaml", "baselines/plan.yaml", "networks/fusion_ifm.yaml"],
    "mask2former": ["networks/fusion_early.yaml", "baselines/mask2former.yaml"],
    "mask2former, plain": [
        "networks/fusion_early.yaml",
        "baselines/mask2former.yaml",
        "networks/no_aids.yaml",
        "ablations/no_aids.yaml",
    ],
    "mpformer": [
        "networks/fusion_early.yaml",
        "baselines/mask2former.yaml",
        "networks/no_aids.yaml",
        "ablations/no_aids.yaml",
        "baselines/mpformer.yaml",
    ],
    "cross-entropy": [
        "networks/fusion_early.yaml",
        "baselines/mask2former.yaml",
        "ablations/cross_entropy.yaml",
    ],
    "no aids": ["networks/no_aids.yaml", "ablations/no_aids.yaml"],
    "no acl": ["ablations/no_acl.yaml"],
    "early": ["networks/fusion_early.yaml"],
    "hemis": ["networks/fusion_hemis.yaml"],
    "hemis, U-Net": ["networks/unet.yaml", "baselines/unet.yaml", "networks/fusion_hemis.yaml"],
    "convlstm, U-Net": ["networks/unet.yaml", "baselines/unet.yaml", "networks/fusion_convlstm.yaml"],
    "ifm, U-Net": ["networks/unet.yaml", "baselines/unet.yaml", "networks/fusion_ifm.yaml"],
}


QUICK = {"pages": False, "postprocessing#liver_share": 1.0}
"""Few of the hundreds of lesions of an untrained network remain; LI-RADS features of all would take long."""


@pytest.mark.slow
@pytest.mark.parametrize("overlays", SYSTEMS.values(), ids=SYSTEMS)
def test_every_system_trains_is_evaluated_and_infers(overlays: list[str], toys: Path, tmp_path: Path) -> None:
    options = {**TRAINING, "max_epochs": 2, **places(toys, tmp_path)}
    if "networks/nnunet.yaml" in overlays:
        del options["network_def#channels"]
        options["network_def#filters"] = [4, 4, 8, 8]
    workflow("train", *overlays, **options).run()
    for name in ("max_epochs", "steps_per_epoch", "val_interval", "train#stages", "cache_dir"):
        del options[name]
    options["model_file"] = str(tmp_path / "model.pt")
    for job, kind in (("evaluate.json", "evaluation"), ("inference.json", "infer")):
        files = [job, *(f"overlays/{name}" for name in overlays if name.startswith("networks/"))]
        built = create_workflow(
            config_file=[str(CONFIGS / name) for name in files],
            workflow_type=kind,
            meta_file=str(CONFIGS / "metadata.json"),
            logging_file=False,
            **options,
            **(QUICK if kind == "infer" else {}),
        )
        built.initialize()
        built.run()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    result = json.loads((tmp_path / "toy_05.json").read_text())
    assert ("branch_auc_HCC" in metrics) == ("branch" in result) == ("networks/plan.yaml" in overlays)
    assert sum(path.suffix == ".gz" for path in tmp_path.iterdir()) == 2 * 3


def test_fast_training(toys: Path, tmp_path: Path) -> None:
    options = {**TINY, "spacing": list(SPACING), "steps_per_epoch": 1}
    workflow("train", "quick/fast.yaml", **options, **places(toys, tmp_path)).run()
    assert (tmp_path / "model.pt").is_file()


def test_paper_scale_takes_a_step(toys: Path, tmp_path: Path) -> None:
    """The real network, losses and optimizer of the paper's size, on crops that a test can afford."""
    options = {
        "device": "$torch.device('cpu')",
        "spacing": list(SPACING),
        "train#crop#size": [64, 32, 32],
        "train#batches#size": 1,
    }
    built = workflow(
        "train", "networks/paper_scale.yaml", "recipes/paper_scale.yaml", **options, **places(toys, tmp_path)
    )
    network, trainer = built.network_def, built.trainer
    before = [p.detach().clone() for p in network.parameters()]
    batch = next(iter(trainer.data_loader))
    assert batch["image"].shape == (1, 4, 64, 32, 32)
    assert trainer._process_function(trainer, batch)[0]["parts"].keys() >= {"seg", "focal", "acl", "semantic"}
    assert sum(p.numel() for p in before) > 10_000_000
    assert isinstance(trainer.optimizer, torch.optim.RAdam)
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(1e-5)
    shifted = [bool((a != b).any()) for a, b in zip(before, network.parameters(), strict=True)]
    assert all(torch.isfinite(p).all() for p in network.parameters())
    assert sum(shifted) > 0.6 * len(shifted)


def test_a_state_of_the_other_network_is_refused(toys: Path, tmp_path: Path) -> None:
    workflow("train", "networks/unet.yaml", "baselines/unet.yaml", **TRAINING, **places(toys, tmp_path)).run()
    with pytest.raises(RuntimeError) as raised:
        workflow("train", **TRAINING, **places(toys, tmp_path)).run()
    assert "state_epoch=3.pt" in str(reason(raised.value))
