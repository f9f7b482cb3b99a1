"""Makes `scripts.lidia` importable wherever a config is read; executed by path, before any import.

Every entry config runs this file in its header, because MONAI's `load`, `create_workflow` and exporters do
not add the bundle's folder to the import path, and the package `scripts` of another bundle may already be
imported.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

folder = Path(__file__).resolve().parents[1]
if str(folder.parent) not in sys.path:
    sys.path.insert(0, str(folder.parent))
importlib.invalidate_caches()
package = importlib.import_module("scripts")
if str(folder) not in package.__path__:
    package.__path__.append(str(folder))

# torch then allocates large tensors on huge pages; page faults of small pages cost a tenth of the CPU time
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


# MONAI's command, and the process in which a MONAI Label server trains
COMMANDS = ("monai.bundle.__main__", "monailabel.interfaces.utils.app")
if getattr(sys.modules["__main__"].__spec__, "name", "") in COMMANDS:
    sys.excepthook = importlib.import_module("scripts.lidia.error_output").print_error

# Options are applied to the caller's frame before any component is built.
importlib.import_module("scripts.lidia.options.apply_options").apply_options(sys._getframe())
