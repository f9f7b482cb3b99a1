"""Prints the error of a failed command."""

from __future__ import annotations

import sys
from types import TracebackType

from scripts.lidia.environment import explain_error


def print_error(kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
    """Prints the error of a failed command in one line: its own, or a fault of the machine with its remedy.

    Other errors keep their traceback. The function is meant as `sys.excepthook`.

    Args:
        kind: class of the error.
        problem: the error.
        trace: its traceback.
    """
    cause: BaseException | None = problem
    while cause is not None:
        if type(cause).__module__.startswith("scripts.lidia."):
            sys.stderr.write(f"\n{type(cause).__name__}: {cause}\n")
            return
        cause = cause.__cause__ or cause.__context__
    message = explain_error(problem)
    if message is not None:
        sys.stderr.write(f"\nCannot go on: {message}\n")
        return
    sys.__excepthook__(kind, problem, trace)
