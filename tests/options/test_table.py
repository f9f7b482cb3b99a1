"""The table of options covers every config, and the documents list the same options."""

from __future__ import annotations

import re
from pathlib import Path

from config_names import config_files, read

from scripts.lidia.options.option_table import OPTIONS

DOCS = Path(__file__).parents[2] / "lidia_bundle/docs/reliability.md"

OBJECTS = frozenset({
    # where the bundle lies, and what a run does
    *(
        "imports",
        "bundle_root",
        "repository",
        "bootstrap",
        "initialize",
    ),
    *("run", "training", "evaluating", "measuring", "expressions", "flames", "step", "finalize"),
    # objects and blocks
    *("network_def", "network", "average", "loss", "train", "validate", "preprocessing", "dataset"),
    *("dataloader", "inferer", "postprocessing", "calibration", "scores", "key_metric", "handlers"),
    "features",
    "lesion_points",
    "trust",
    *("evaluator", "hidden", "subset_scores", "clinical", "rows", "remarks", "options", "evaluation"),
    "curve",
    *("systems", "measured", "drawn", "listed", "checked", "implanted", "written", "prepared", "report"),
    *("trained", "parts", "round_lengths", "rule", "levels", "table_references", "ablation_steps"),
    *("studied", "mask_gate", "evaluated", "goals", "profiled", "exported"),
    *("followed", "settings", "matching", "change", "recist", "lirads", "repeatability"),
})
"""Keys that hold expressions or objects: `$`, `@` and `%` mean in them what they mean to MONAI."""


def test_every_key_of_every_config_is_one_of_the_two_kinds() -> None:
    keys = {
        re.split("#|::", key.lstrip("+"))[0]
        for path in config_files()
        if path.name not in ("metadata.json", "mlflow.json")
        for key in read(path)
        if not key.lstrip("+").startswith("_")
    }
    assert keys <= set(OPTIONS) | OBJECTS
    assert set(OPTIONS) | OBJECTS <= keys
    assert not set(OPTIONS) & OBJECTS


def read_keys(heading: str) -> set[str]:
    """Keys in the line of a list that begins with a heading."""
    text = DOCS.read_text(encoding="utf-8")
    match = re.search(rf"^- \*\*{heading}\*\*[^:]*:((?:\n?[^\n]+)+?)(?=\n- |\n\n)", text, re.MULTILINE)
    assert match, heading
    return set(re.findall(r"`(\w+)`", match[1]))


def test_the_documents_list_both_kinds() -> None:
    assert read_keys("Texts") == {key for key, kind in OPTIONS.items() if kind.text}
    assert read_keys("Values") == {key for key, kind in OPTIONS.items() if not kind.text}
    assert read_keys("Expressions and objects") == OBJECTS
