"""A copy of the bundle with networks of few channels, so that a benchmark of all rows takes seconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.vocabulary import LIVER

CHANNELS = [8, 8, 8, 8]
GRID = {"spacing": [4.0, 4.0, 4.0], "roi_size": [64, 64, 48]}
PAPER_SCALE = "configs/overlays/networks/paper_scale.yaml"


def write_small_bundle(bundle: Path, folder: Path) -> Path:
    """Writes configs and random weights of a small network beside a link to the bundle's code.

    Args:
        bundle: the bundle's folder.
        folder: new folder.

    Returns:
        `folder/lidia_bundle`; a bundle's folder keeps its name.
    """
    copy = folder / bundle.name
    shutil.copytree(bundle / "configs", copy / "configs")
    (copy / "scripts").symlink_to(bundle / "scripts")
    for name in ("inference.json", "train.json"):
        path = copy / "configs" / name
        config = json.loads(path.read_text(encoding="utf-8")) | GRID
        config["network_def"]["channels"] = CHANNELS
        path.write_text(json.dumps(config), encoding="utf-8")
    paper = ConfigParser.load_config_file(str(copy / PAPER_SCALE))
    paper["network_def"]["channels"] = [8] * len(paper["network_def"]["channels"])
    ConfigParser.export_config_file(paper, str(copy / PAPER_SCALE), fmt="yaml")
    write_weights(copy)
    return copy


def write_weights(bundle: Path) -> None:
    """Writes weights that predict liver, with which inference finishes quickly."""
    config = json.loads((bundle / "configs/inference.json").read_text(encoding="utf-8"))
    options: dict[str, Any] = {k: v for k, v in config["network_def"].items() if not k.startswith("_")}
    torch.manual_seed(0)
    state = build_lidia(**options).state_dict()
    state["semantic_head.classify.1.bias"][LIVER] = 3.0
    (bundle / "models").mkdir()
    torch.save(state, bundle / "models/model.pt")
