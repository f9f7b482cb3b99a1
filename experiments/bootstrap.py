"""Make `experiments` and the bundle importable for a config of `experiments/configs`; run by path."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

repository = Path(__file__).resolve().parents[1]
if str(repository) not in sys.path:
    sys.path.insert(0, str(repository))
runpy.run_path(str(repository / "lidia_bundle/scripts/lidia/bootstrap.py"))
