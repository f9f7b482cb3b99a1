"""The class that MONAI Label looks for in an app's `main.py`."""

import runpy
from importlib import import_module
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[1] / "bootstrap.py"))
LidiaApp = import_module("scripts.lidia.label_app.app").LidiaApp
