"""The model card in the zoo's form: sections, a picture of the performance, commands of real files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scripts.lidia.vocabulary import LESION_TYPES

SECTIONS = (
    "# Model Overview",
    "## Data",
    "## Training configuration",
    "### Input",
    "### Output",
    "## Performance",
    "## Limitations",
    "## MONAI Bundle Commands",
    "# References",
    "# License",
)


@pytest.fixture
def card(bundle: Path) -> str:
    return (bundle / "docs/README.md").read_text(encoding="utf-8")


def test_it_has_the_zoo_s_sections_in_their_order(card: str) -> None:
    headings = [line for line in card.splitlines() if line in SECTIONS]
    assert tuple(headings) == SECTIONS


def test_the_overview_and_the_performance_have_pictures(card: str) -> None:
    for section in ("# Model Overview", "## Performance"):
        text = re.split(r"^#{1,2} ", card.split(f"{section}\n", 1)[1], maxsplit=1, flags=re.M)[0]
        assert "](images/" in text, section


def test_it_has_the_commands_of_a_bundle_and_their_configs(card: str, bundle: Path) -> None:
    for job in ("training", "multi-GPU training", "evaluation", "inference", "TorchScript"):
        assert re.search(rf"^#### .*{job}.*:$", card, re.M), job
    named = set(re.findall(r"lidia_bundle/(configs/[\w./]+\.(?:json|yaml))", card))
    assert named
    assert [name for name in named if not (bundle / name).is_file()] == []


def test_the_licence_of_the_data_names_the_training_data(bundle: Path) -> None:
    text = (bundle / "docs/data_license.txt").read_text(encoding="utf-8")
    assert re.findall(r"configs/\w+\.json", text) == ["configs/phantom.json"]


NAMES = {"implants": "implants in two unseen scans"}
"""Names of cohorts in the card, where they differ."""


def read_metrics(bundle: Path, cohort: str) -> dict[str, Any]:
    """Reads the metrics of the shipped weights; the card has the commands that make them."""
    path = bundle.parent / f"experiments/shipped/{cohort}.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(params=["internal", "external"])
def cohort_metrics(request: pytest.FixtureRequest, bundle: Path) -> tuple[str, dict[str, Any]]:
    """A cohort of phantoms, and the metrics of the shipped weights on it."""
    return request.param, read_metrics(bundle, request.param)


@pytest.mark.parametrize("cohort", ["internal", "external", "implants"])
def test_the_card_s_figures_are_those_of_the_evaluation(card: str, bundle: Path, cohort: str) -> None:
    result, name = read_metrics(bundle, cohort), NAMES.get(cohort, cohort)
    lesions = ("sensitivity", "precision", "accuracy", "dice", "liver_dice")
    rules = {"LiverMax": "", "pixel count": "pixelcount_"} if name == cohort else {"LiverMax": ""}
    for rule, prefix in rules.items():
        cells = [result[key] for key in (f"{prefix}auc8", f"{prefix}auc2", *lesions)]
        values = (f"{cell['value']:.3f} ({cell['low']:.3f}-{cell['high']:.3f})" for cell in cells)
        assert f"| LIDIA, {rule} | {name} | {' | '.join(values)} |" in card
    areas = (f"{result[f'auc_{kind}']['value']:.3f}" for kind in LESION_TYPES)
    assert f"| {name} | {' | '.join(areas)} |" in card


def test_the_readme_s_figures_are_those_of_the_evaluation(
    bundle: Path, cohort_metrics: tuple[str, dict[str, Any]]
) -> None:
    _, result = cohort_metrics
    names = ("auc8", "auc2", "sensitivity", "precision", "liver_dice")
    values = " | ".join(f"{result[name]['value']:.3f}" for name in names)
    readme = (bundle.parent / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^\|[^|]*\b{result['auc8']['n']}\b[^|]*\| {re.escape(values)} \|$", readme, re.M)


def test_the_metadata_s_figures_are_those_of_the_evaluation(
    bundle: Path, cohort_metrics: tuple[str, dict[str, Any]]
) -> None:
    cohort, result = cohort_metrics
    metrics = json.loads((bundle / "configs/metadata.json").read_text(encoding="utf-8"))["eval_metrics"]
    names = {
        "auc8": "auc8",
        "auc2": "auc2",
        "lesion_sensitivity": "sensitivity",
        "lesion_precision": "precision",
        "lesion_type_accuracy": "accuracy",
        "lesion_dice": "dice",
        "liver_dice": "liver_dice",
    }
    expected = {f"{name}_synthetic_{cohort}": round(result[key]["value"], 3) for name, key in names.items()}
    assert {name: value for name, value in metrics.items() if name.endswith(cohort)} == expected
