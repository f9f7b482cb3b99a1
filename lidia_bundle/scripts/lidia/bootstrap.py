"""Makes `scripts.lidia` importable from wherever a config is read; is run by path, before any import.

Every entry config runs this file in its header, because MONAI's `load`, `create_workflow` and exporters never
put the bundle's folder on the import path, and another bundle's package `scripts` may already be imported.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import TracebackType

folder = Path(__file__).resolve().parents[1]
if str(folder.parent) not in sys.path:
    sys.path.insert(0, str(folder.parent))
importlib.invalidate_caches()
package = importlib.import_module("scripts")
if str(folder) not in package.__path__:
    package.__path__.append(str(folder))

# torch then puts large tensors on large pages: to touch small ones anew costs a CPU a tenth of its time
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def report_error(kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
    """Ends a failed command with the bundle's own error alone, or with what the machine lacks."""
    seen: BaseException | None = problem
    while seen is not None:
        if type(seen).__module__.startswith("scripts.lidia."):
            sys.stderr.write(f"\n{type(seen).__name__}: {seen}\n")
            return
        seen = seen.__cause__ or seen.__context__
    lack = importlib.import_module("scripts.lidia.environment").explain_error(problem)
    if lack is not None:
        sys.stderr.write(f"\nCannot go on: {lack}\n")
        return
    sys.__excepthook__(kind, problem, trace)


# MONAI's command, and the process in which a MONAI Label server trains
COMMANDS = ("monai.bundle.__main__", "monailabel.interfaces.utils.app")
if getattr(sys.modules["__main__"].__spec__, "name", "") in COMMANDS:
    sys.excepthook = report_error

# options are read where they were typed or given, before anything of a job is made
importlib.import_module("scripts.lidia.options.apply_options").apply_options(sys._getframe())
