"""What a process holds, as the kernel counts it (Linux)."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def rss_mb(process: int) -> float:
    """Resident memory in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def descriptors(process: int) -> int:
    """Open files, sockets and pipes."""
    return len(os.listdir(f"/proc/{process}/fd"))


def tell(line: str) -> None:
    """Says what was measured; `pytest -s` shows it."""
    sys.stdout.write(f"{line}\n")
