"""A long cohort: memory flat, no descriptor left open, the last hundred patients as quick as the first.

`LIDIA_LOAD=1000 pytest tests/load/test_cohort.py` sends a thousand patients through `inference.json`.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from ignite.engine import Events
from load.watching import descriptors, rss_mb, tell
from test_configs import NATIVE, workflow
from training.toys import save_network, write_toys

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")

PATIENTS = int(os.environ.get("LIDIA_LOAD", "12"))
DIFFERENT = 10


def long_list(folder: Path) -> Path:
    """So many patients, each with files of his own, of which ten differ and the others are links to them."""
    write_toys(folder, training=0, validation=0, test=DIFFERENT)
    items: list[dict[str, Any]] = json.loads((folder / "dataset.json").read_text())["test"]
    entries = []
    for number in range(PATIENTS):
        item = items[number % DIFFERENT]
        phases = {phase: f"{number:04d}/{phase}.nii.gz" for phase in item["phases"]}
        (folder / f"{number:04d}").mkdir()
        for phase, name in phases.items():
            os.link(folder / item["phases"][phase], folder / name)
        entries.append({"id": f"P{number:04d}", "phases": phases})
    (folder / "dataset.json").write_text(json.dumps({"test": entries}))
    return folder


def test_the_last_patients_cost_what_the_first_did(tmp_path: Path) -> None:
    weights = save_network(tmp_path / "model.pt")
    places = {"dataset_dir": str(long_list(tmp_path / "data")), "output_dir": str(tmp_path / "out")}
    built = workflow("inference", **NATIVE, **places, model_file=weights)
    recorded: list[tuple[float, float, int]] = []

    def look() -> None:
        recorded.append((time.process_time(), rss_mb(os.getpid()), descriptors(os.getpid())))

    evaluator = built.parser.get_parsed_content("evaluator")
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, look)
    built.run()
    assert len(recorded) == PATIENTS == len(list((tmp_path / "out").glob("P*.json")))
    share = min(100, PATIENTS // 4)
    warm, last = recorded[share : 2 * share], recorded[-share:]
    seconds = [(part[-1][0] - part[0][0]) / (share - 1) for part in (warm, last)]
    memory = [median(entry[1] for entry in part) for part in (warm, last)]
    tell(f"{PATIENTS} patients; CPU s a patient {seconds[0]:.3f} then {seconds[1]:.3f}")
    tell(f"RSS {memory[0]:.0f} then {memory[1]:.0f} MB; descriptors {warm[0][2]} then {last[-1][2]}")
    assert PATIENTS < 100 or seconds[1] < 1.5 * seconds[0]
    assert memory[1] < memory[0] + 30
    assert last[-1][2] <= warm[0][2]
