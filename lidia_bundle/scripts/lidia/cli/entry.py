"""Entry point of the console command `lidia`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

BUNDLE = Path(__file__).resolve().parents[3]


def main() -> None:
    """Makes the code of the bundle importable, as its configs expect it, and runs the command line."""
    if str(BUNDLE) not in sys.path:
        sys.path.insert(0, str(BUNDLE))
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as bootstrap.py; before torch is loaded
    from scripts.lidia.cli.run_command import run_command
    from scripts.lidia.error_output import print_error

    sys.excepthook = print_error
    run_command(sys.argv[1:])


if __name__ == "__main__":
    main()
