"""The properties by which other programs use a workflow: `check_properties` of each entry config."""

from __future__ import annotations

from pathlib import Path

import pytest
from monai.bundle import create_workflow
from monai.bundle.properties import InferProperties, MetaProperties, TrainProperties

# MONAI's word of caution about foreign configs; these are our own.
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")


@pytest.mark.parametrize(
    ("name", "kind", "properties"),
    [
        ("inference", "inference", InferProperties),
        ("evaluate", "evaluation", InferProperties),
        ("train", "train", TrainProperties),
    ],
)
def test_none_is_missing(
    name: str, kind: str, properties: dict[str, object], bundle: Path, cohort: Path, tmp_path: Path
) -> None:
    """The zoo asks for inference's alone, for want of data; the metadata's are asked for as well."""
    built = create_workflow(
        workflow_type=kind,
        bundle_root=str(bundle),
        config_file=str(bundle / f"configs/{name}.json"),
        logging_file=False,
        meta_file=str(bundle / "configs/metadata.json"),
        dataset_dir=str(cohort),
        output_dir=str(tmp_path),
    )
    built.properties = {**MetaProperties, **properties}
    assert built.check_properties() == []
