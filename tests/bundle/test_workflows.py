"""`create_workflow` and `ConfigWorkflow` of a copy of the bundle run twice in a foreign process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RESULTS = ["*_instances.nii.gz", "*_lesions.nii.gz", "*_liver.nii.gz", "internal_*.json"]
TWICE = """
import shutil
from pathlib import Path
from monai.bundle import ConfigWorkflow, create_workflow
name, kind, cohort, *expected = sys.argv[1:]
options = {"dataset_dir": cohort, "output_dir": "out"}
if name == "train":
    stage = {"start": 0.0, "decoding": True, "crop": [32, 32, 16], "cases": 1}
    options |= {**TINY, "max_epochs": 1, "steps_per_epoch": 2, "val_interval": 1}
    options |= {"cache_dir": "cache", "train#stages": {"full": stage}}
else:
    options |= {"patients": 1, "spacing": [5.0, 5.0, 5.0], "roi_size": [64, 64, 48]}
config = f"bundles/lidia_bundle/configs/{name}.json"
flow = create_workflow(config_file=config, workflow_type=kind, **options)
outcome = {"root": flow.bundle_root, "missing": flow.check_properties(), "files": []}
flow = ConfigWorkflow(config_file=config, workflow_type=kind, **options)
for _ in range(2):
    shutil.rmtree("out", ignore_errors=True)
    flow.initialize()
    flow.run()
    flow.finalize()
    outcome["files"].append(sorted({pattern for pattern in expected for path in Path("out").glob(pattern)}))
print(json.dumps(outcome))
"""


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("inference", "inference", RESULTS),
        ("evaluate", "evaluation", ["lesions.csv", "metrics.json", "patients.csv"]),
        ("train", "train", ["model.pt", "state_epoch=1.pt", "training.log"]),
    ],
)
def test_initialize_run_finalize_twice(
    name: str,
    kind: str,
    expected: list[str],
    bundle: Path,
    cohort: Path,
    work: Path,
    stranger: Callable[..., Any],
) -> None:
    place = work / "bundles/lidia_bundle"
    shutil.copytree(bundle, place, ignore=shutil.ignore_patterns("docs", "__pycache__"))
    result = stranger(TWICE, name, kind, cohort, *expected)
    assert result["root"] == str(place)
    assert result["missing"] == []
    assert result["files"] == [expected, expected]
