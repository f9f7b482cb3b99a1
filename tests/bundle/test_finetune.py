"""A hospital of three phases, four lesion types, own label values and spacing, from the shipped weights."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import create_workflow, run
from test_configs import CONFIGS, TINY, reason, workflow
from training.toys import write_patient, write_toys

from scripts.lidia.runtime.weights import read_state
from scripts.lidia.vocabulary import CLASSES

# MONAI says a word about foreign configs (these are our own) and about a training without postprocessing.
pytestmark = [
    pytest.mark.filterwarnings("ignore:parsing config_file"),
    pytest.mark.filterwarnings("ignore:Can't merge entry"),
]

THEIRS = {"1": "liver", "2": "cyst", "3": "HCC", "4": "hemangioma", "5": "metastasis"}
FOUR = ["HCC", "metastasis", "hemangioma", "cyst"]
PHASES = ["arterial", "venous", "delayed"]
SMALL = {"device": TINY["device"], "roi_size": [64, 64, 48], "spacing": [3.0, 3.0, 4.0]}
SHORT = {**SMALL, "max_epochs": 1, "steps_per_epoch": 1, "train#augmentation#other_scanner": 0.0}
SHORT["train#stages"] = {"full": {"start": 0.0, "decoding": True, "crop": [32, 32, 32], "cases": 1}}
HEADS = ["transformer_decoder.heads.class_embed", "semantic_head.classify"]


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hospital's patients, its numbers mapped to our classes, two folds."""
    theirs, ours = (tmp_path_factory.mktemp(name) for name in ("theirs", "ours"))
    for number in range(8):
        write_patient(theirs, number, kind=2 + number % 4, missing=("nc",))
    config = str(CONFIGS / "prepare.json")
    options: dict[str, Any] = {"phase_map": {phase: f"{{id}}_{phase}.nii.gz" for phase in PHASES}}
    options |= {"masks": {"label": "{id}_label.nii.gz"}, "class_map": THEIRS}
    run(config_file=config, source="folder", input_dir=str(theirs), dataset_dir=str(ours), **options)
    run(config_file=config, source="folds", input_dir=str(ours), dataset_dir=str(ours), folds=2)
    return ours


def job(name: str, kind: str, **options: Any) -> Any:
    """An evaluation or inference with the hospital's overlay."""
    files = [str(CONFIGS / part) for part in ("train.json", name, "overlays/recipes/hospital.yaml")]
    meta = str(CONFIGS / "metadata.json")
    return create_workflow(
        config_file=files, workflow_type=kind, meta_file=meta, logging_file=False, **options
    )


def test_from_their_folder_to_results_of_their_types(lists: Path, bundle: Path, tmp_path: Path) -> None:
    places = {"dataset_dir": str(lists), "datalist": "dataset_fold0.json"}
    folder = tmp_path / "training"
    options = {**places, "output_dir": str(folder), "cache_dir": str(tmp_path / "cache")}
    built = workflow("train", "recipes/hospital.yaml", **SHORT, **options)
    assert built.parser["validate"]["postprocessing"]["types"] == "@types"
    built.run()
    assert f"Weights from {bundle}/models/model.pt, all of them" in (folder / "training.log").read_text()
    options = {**SMALL, **places, "section": "validation", "model_file": str(folder / "model.pt")}

    job("evaluate.json", "evaluation", **options, output_dir=str(tmp_path / "evaluation")).run()
    metrics = json.loads((tmp_path / "evaluation/metrics.json").read_text())
    for name in CLASSES[2:]:
        assert (metrics[f"auc_{name}"]["value"] is None) == (name not in FOUR), name
    assert "auc_ICC (0 with, 4 without)" in metrics["auc8"]["note"]

    job("inference.json", "infer", **options, output_dir=str(tmp_path / "results")).run()
    results = [json.loads(path.read_text()) for path in (tmp_path / "results").glob("*.json")]
    results = [result for result in results if result]
    assert len(results) == 4
    for result in results:
        assert list(result["probabilities"]) == FOUR
        assert result["phases_used"] == PHASES
        assert all(list(lesion["probabilities"]) == FOUR for lesion in result["lesions"])
        annotation = np.unique(nib.load(tmp_path / f"results/{result['id']}_lesions.nii.gz").dataobj)
        assert {CLASSES[value] for value in annotation} <= {"background", *FOUR}
        page = (tmp_path / f"results/{result['id']}.html").read_text()
        assert "</span>metastasis</th>" in page
        assert "</span>ICC</th>" not in page


def started(toys: Path, folder: Path, **options: Any) -> str:
    """Log of a training that starts from the shipped weights and changes none of them."""
    places = {"dataset_dir": str(toys), "output_dir": str(folder), "cache_dir": str(folder / "cache")}
    still = {"learning_rate": 0.0, "ema_decay": 0.0, "validate#dataset#data#patients": 1}
    workflow("train", "recipes/hospital.yaml", **SHORT, **places, **still, **options).run()
    return (folder / "training.log").read_text()


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toys(tmp_path_factory.mktemp("toys"), validation=1, test=0)


def test_newly_initialised_class_heads_are_named_in_the_log(toys: Path, bundle: Path, tmp_path: Path) -> None:
    log = started(toys, tmp_path, **{"train#load_weights#fresh": HEADS})
    entries = re.search(r"not loaded, as `fresh` says: (.*)", log)
    assert entries
    shipped = read_state(bundle / "models/model.pt")
    own = read_state(tmp_path / "state_epoch=1.pt")["network"]
    changed = {name for name in shipped if not torch.equal(shipped[name], own[name])}
    assert changed == set(entries[1].split(", "))
    assert all(any(name.startswith(f"{head}.") for head in HEADS) for name in changed)


def test_what_does_not_fit_and_is_not_named_is_an_error(toys: Path, tmp_path: Path) -> None:
    other = {"network_def#learned_queries": 4, "network_def#hounsfield": False}
    with pytest.raises(RuntimeError) as raised:
        started(toys, tmp_path / "refused", **other)
    assert "size mismatch for query_generator.query_feat" in str(reason(raised.value))
    assert "hounsfield" in str(reason(raised.value))
    named = ["query_generator.query_feat", "query_generator.query_embed", "hounsfield_path"]
    log = started(toys, tmp_path / "named", **other, **{"train#load_weights#fresh": named})
    assert "`fresh` says: query_generator.query_feat, query_generator.query_embed" in log


def test_an_unknown_layer_is_refused(toys: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as raised:
        started(toys, tmp_path, **{"train#load_weights#fresh": ["class_head"]})
    assert "neither the network nor" in str(reason(raised.value))
