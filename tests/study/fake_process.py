"""Stands for the processes of a study at convergence: takes their command lines, leaves their files.

It is run by path, with the standard library alone. `plan.json` in the output folder of the study gives CPU
seconds per epoch and the metrics of each round by run.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    at = arguments.index("run")
    options = dict(zip(arguments[at + 2 :: 2], arguments[at + 3 :: 2], strict=True))
    folder = Path(options["--output_dir"])
    root = next(parent for parent in folder.parents if (parent / "plan.json").is_file())
    run = folder.relative_to(root).parts[0]
    plan = json.loads((root / "plan.json").read_text())[run]
    with (root / "processes").open("a") as log:
        log.write(f"{arguments[at + 1]} {folder.relative_to(root)} {options.get('--max_epochs', '')}\n")
    if arguments[at + 1] == "training":
        train(root, folder, plan, int(options["--max_epochs"]))
        return
    number = int(Path(options["--model_file"]).parent.name)
    at_round = min(number, len(plan["auc8"])) - 1
    metrics = {name: {"value": plan[name][at_round]} for name in ("auc8", "dice")}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "patients.csv").write_text(f"id,livermax_HCC\nP1,{number / 100}\n")
    (folder / "lesions.csv").write_text("id,type\nP1,HCC\n")


def train(root: Path, folder: Path, plan: dict, last: int) -> None:
    """Each epoch adds a line to the log; a state is left after the last one."""
    epochs = folder / "epochs"
    done = len(epochs.read_text().split()) if epochs.is_file() else 0
    for epoch in range(done + 1, last + 1):
        if epoch == plan.get("dies_in") and not (folder / "died").is_file():
            (folder / "died").touch()
            os.kill(os.getpid(), 9)
        with (folder / "training.log").open("a") as log:
            log.write(f"Epoch[{epoch}] Metrics -- loss: 1.0 cpu_seconds: {plan['seconds']}\n")
        with epochs.open("a") as out:
            out.write(f"{epoch} ")
    shutil.copy(root / "state.pt", folder / f"state_epoch={last}.pt")


if __name__ == "__main__":
    main(sys.argv[1:])
