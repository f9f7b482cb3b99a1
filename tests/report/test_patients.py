"""Each patient's page stands beside his other files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from scripts.lidia.report import PatientPages


def test_every_patient_of_a_batch_gets_a_page(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "results", tmp_path / "results")
    items = json.loads((run / "data/dataset.json").read_text(encoding="utf-8"))["test"]
    engine = Engine(lambda engine, batch: None)
    engine.register_events(*IterationEvents)
    PatientPages(folder=str(tmp_path / "results"), items=items, slices=1).attach(engine)
    for batch in ([{"id": "P1"}], [], [{"id": "P2"}]):
        engine.state.batch = batch
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
    pages = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")}
    assert sorted(pages) == ["P1.html", "P2.html"]
    assert "synthetic" in pages["P1.html"] and pages["P1.html"].count("<img") == 1
    assert not list(tmp_path.rglob(".writing-*"))
