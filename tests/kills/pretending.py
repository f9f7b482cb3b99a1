"""Stands for a study's processes: takes their command lines, counts steps, leaves files of the same names.

It is run by path, with the standard library alone, and writes in place: whole files are the study's business.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

STEPS = 5
PAUSE = 0.02


def slowly(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        for half in (text[: len(text) // 2], text[len(text) // 2 :]):
            out.write(half)
            out.flush()
            time.sleep(PAUSE)


def main(text: list[str]) -> None:
    run_id = text[text.index("run") + 1]
    options = dict(zip(text[text.index("run") + 2 :: 2], text[text.index("run") + 3 :: 2], strict=True))
    if run_id == "run":
        result = Path(options["--output"])
        slowly(result, json.dumps({"oracle": 0.97}))
        slowly(result.with_name("patients.csv"), "id,HCC\nP1,0.25\n")
        return
    folder = Path(options["--output_dir"])
    folder.mkdir(parents=True, exist_ok=True)
    if run_id == "training":
        steps = folder / "steps"
        for step in range(len(steps.read_text().split()) if steps.is_file() else 0, STEPS):
            with steps.open("a", encoding="utf-8") as out:
                out.write(f"{step} ")
            time.sleep(PAUSE)
        slowly(folder / "training.log", "Epoch[1] Metrics -- loss: 1.0 cpu_seconds: 2.0\n")
        slowly(folder / "model.pt", "weights of " + folder.name)
        return
    weights = Path(options["--model_file"]).read_text(encoding="utf-8")
    slowly(folder / "metrics.json", json.dumps({"auc8": 0.9, "from": weights}))
    slowly(folder / "patients.csv", "id,HCC\nP1,0.25\n")
    slowly(folder / "lesions.csv", "id,type\nP1,HCC\n")


if __name__ == "__main__":
    main(sys.argv[1:])
