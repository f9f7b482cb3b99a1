"""The model card in the zoo's form: sections, a picture of the performance, commands of real files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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


def test_the_licence_of_the_data_says_what_the_weights_have_seen(bundle: Path) -> None:
    text = (bundle / "docs/data_license.txt").read_text(encoding="utf-8")
    assert "trained on computed phantoms alone" in text
