"""Python processes that start with torch and MONAI loaded: their imports are most of the time of a short job.

A process is a fork of a server that has imported packages of others only. The code of the bundle is imported
by the process itself, from the path that it would have in a new interpreter. Tests of imports, of the
environment and of the first start use `subprocess`.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PACKAGES = [
    "torch.distributed.optim",
    "monai.bundle",
    "monai.engines",
    "monai.handlers",
    "ignite.handlers",
    "highdicom",
    "nibabel",
    "scipy.ndimage",
    "matplotlib.pyplot",
    "jinja2",
]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(PACKAGES)
INSTALLED = [path for path in sys.path if Path(path).resolve().is_relative_to(Path(sys.prefix).resolve())]
STANDARD = [path for path in sys.path if Path(path).resolve().is_relative_to(Path(sys.base_prefix).resolve())]


class PreloadedProcess:
    """A process that runs a command line of Python.

    Args:
        command: as for `subprocess`: the interpreter, then `-c CODE`, `-m MODULE` or a script, then its
            arguments.
        cwd: working folder.
        env: environment; None is that of this process.
    """

    def __init__(
        self, command: Sequence[str], *, cwd: str | Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        assert command[0] == sys.executable
        self.command = [str(word) for word in command]
        self.streams = Path(tempfile.mkdtemp())
        arguments = self.command[1:], str(cwd or Path.cwd()), dict(os.environ if env is None else env)
        self.process = CONTEXT.Process(target=execute, args=(*arguments, str(self.streams)))
        self.process.start()

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal; None while the process runs."""
        return self.process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits for the end; returns what was written to the output and to the errors.

        Raises:
            subprocess.TimeoutExpired: the process still runs after `timeout` seconds.
        """
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired(self.command, timeout or 0.0)
        output, errors = ((self.streams / name).read_text(encoding="utf-8") for name in ("1", "2"))
        shutil.rmtree(self.streams)
        return output, errors

    def kill(self) -> None:
        """Ends the process if it still runs."""
        self.process.kill()


def run_preloaded(
    command: Sequence[str], *, cwd: str | Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command line of Python to its end, as `subprocess.run(..., capture_output=True, text=True)`."""
    process = PreloadedProcess(command, cwd=cwd, env=env)
    output, errors = process.communicate()
    return subprocess.CompletedProcess(process.command, process.returncode or 0, output, errors)


def execute(words: list[str], cwd: str, env: dict[str, str], streams: str) -> None:
    """Becomes the process of a command line: folder, environment, streams, import path, `__main__`."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for stream in (1, 2):
        os.dup2(os.open(f"{streams}/{stream}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), stream)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", encoding="utf-8", buffering=1, closefd=False) for n in (1, 2))
    for name in ("scripts", "experiments", "preloaded"):
        sys.modules.pop(name, None)
    script = words[0] not in ("-c", "-m")
    first = str(Path(words[0]).parent) if script else "" if words[0] == "-c" else cwd
    more = env["PYTHONPATH"].split(os.pathsep) if "PYTHONPATH" in env else []
    sys.path[:] = [first, *more, *STANDARD, *INSTALLED]
    sys.argv = words if script else [words[0], *words[2:]]
    status: Any = 0
    try:
        run_main(words)
    except SystemExit as end:
        status = end.code
        if isinstance(status, str):
            sys.stderr.write(f"{status}\n")
            status = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        status = 1
    atexit._run_exitfuncs()
    sys.exit(status)


def run_main(words: list[str]) -> None:
    """Runs what the words name as `__main__`."""
    if words[0] == "-m":
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(words[1], "<string>", "exec"), main.__dict__)
    else:
        runpy.run_path(words[0], run_name="__main__")
