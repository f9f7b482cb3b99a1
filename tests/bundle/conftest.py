"""A release on a local server, and a process in a foreign folder with another package `scripts`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from preloaded import run_preloaded

PREFACE = """
import json, sys, warnings
warnings.simplefilter("ignore")
import scripts  # another bundle's package of the same name comes first
assert scripts.OWNER == "another bundle"
"""
TINY = {"network_def#channels": [8, 8, 8, 8], "network_def#proposals": 4, "network_def#learned_queries": 2}


class Quiet(SimpleHTTPRequestHandler):
    """Serves without a line a request."""

    def log_message(self, *record: object) -> None:
        pass


@pytest.fixture(scope="session")
def release(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip that `make release` makes."""
    folder = tmp_path_factory.mktemp("release")
    command = [sys.executable, str(bundle.parent / "release.py"), "--output_dir", str(folder)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    return Path(process.stdout.split(maxsplit=1)[1].strip())


@pytest.fixture(scope="session")
def url(release: Path) -> Iterator[str]:
    """Address of the release."""
    handler = partial(Quiet, directory=str(release.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{release.name}"
        server.shutdown()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder that is not ours, with another bundle's package `scripts` in it."""
    package = tmp_path / "work/scripts"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('OWNER = "another bundle"\n', encoding="utf-8")
    return package.parent


@pytest.fixture
def stranger(work: Path) -> Callable[..., Any]:
    """Runs code in a process of its own, there; returns what its last line says, as JSON.

    The code finds its arguments in `sys.argv`, and in `TINY` a network of no size. A package that reads the
    environment when it is imported needs `preloaded=False`.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(code: str, *arguments: object, preloaded: bool = True) -> Any:
        command = [sys.executable, "-c", f"{PREFACE}TINY = {TINY}\n{code}", *map(str, arguments)]
        if preloaded:
            finished = run_preloaded(command, cwd=work, env=environment)
        else:
            finished = subprocess.run(
                command, cwd=work, env=environment, capture_output=True, text=True, check=False
            )
        assert finished.returncode == 0, finished.stderr[-3000:]
        return json.loads(finished.stdout.strip().splitlines()[-1])

    return run
