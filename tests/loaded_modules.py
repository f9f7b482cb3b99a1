"""Print the modules of the bundle that building a training loads, and count their lines.

python tests/loaded_modules.py lidia_bundle DATASET_DIR
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from monai.bundle import ConfigWorkflow


def main(bundle: str, dataset_dir: str) -> None:
    """Build the trainer of `train.json`; the last line has the number of modules and of lines."""
    with tempfile.TemporaryDirectory() as folder:
        options = {"dataset_dir": dataset_dir, "output_dir": f"{folder}/out", "cache_dir": f"{folder}/cache"}
        flow = ConfigWorkflow(
            f"{bundle}/configs/train.json", logging_file=False, workflow_type="train", **options
        )
        flow.initialize()
        flow.parser.get_parsed_content("train::trainer")
    files = {
        name: module.__file__
        for name, module in sys.modules.items()
        if name.startswith("scripts.lidia") and module.__file__
    }
    sys.stdout.write("\n".join(sorted(files)) + "\n")
    lines = sum(len(Path(file).read_text(encoding="utf-8").splitlines()) for file in files.values())
    sys.stdout.write(f"{len(files)} modules, {lines} lines\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
