"""Translate errors of the machine (memory, device, disk, permissions) into one line with a remedy."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

SIGNS: tuple[tuple[str, str], ...] = (
    (
        r"out of shared memory|shared memory object|unable to (?:write|mmap|open).*torch_|signal: Bus",
        "there is too little shared memory for the processes that load data: add --num_workers 0 "
        "(check.json: --workers 0), or give a container more, by docker run --shm-size=2g or --ipc=host",
    ),
    (
        r"items of ancdata|Too many open files",
        "too many files are open: allow more by `ulimit -n 4096`, or add --num_workers 0",
    ),
    (
        r"not compiled with CUDA|No CUDA GPUs|NVIDIA driver|device ordinal|MPS backend|not linked with",
        "the device that was named is not there: take --device cpu, or one that PyTorch finds "
        "(python -c 'import torch; print(torch.cuda.device_count())')",
    ),
    (
        r"PytorchStreamWriter failed writing|file write failed",
        "a file could not be written to its end: make room on the disk, or name a folder on another one by "
        "--output_dir",
    ),
    (
        r"determine home directory",
        "there is no home folder: set the variable HOME, or write paths without ~",
    ),
)
"""Patterns of error messages of PyTorch and Python, and the message for the user."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LOCKED = (errno.EACCES, errno.EPERM, errno.EROFS)
NO_FOLDER = (errno.ENOTDIR, errno.EEXIST)


def explain_error(problem: BaseException) -> str | None:
    """Explains an exception that was caused by a limit of the machine.

    Args:
        problem: exception; its innermost cause is examined first.

    Returns:
        One line with problem and remedy; None if the exception has another reason.
    """
    for error in reversed(list(_iterate_causes(problem))):
        line = _explain_one(error)
        if line is not None:
            return line
    return None


def _iterate_causes(problem: BaseException | None) -> Iterator[BaseException]:
    visited: set[int] = set()
    while problem is not None and id(problem) not in visited:
        visited.add(id(problem))
        yield problem
        problem = problem.__cause__ or problem.__context__


def _explain_one(error: BaseException) -> str | None:
    text = str(error)
    is_shared_memory = isinstance(error, OSError) and "/dev/shm" in text
    for pattern, line in SIGNS:
        if re.search(pattern, text) or (is_shared_memory and line is SIGNS[0][1]):
            return line
    if not isinstance(error, OSError):
        return None
    file = error.filename2 or error.filename or "a file"
    if error.errno in FULL:
        return f"no room on the disk for {file}: make room, or name a folder on another disk by --output_dir"
    if error.errno in LOCKED:
        return (
            f"{file}: {error.strerror}. See to the rights of the folder, or name another one (--output_dir)"
        )
    if error.errno in NO_FOLDER:
        return f"{file} is a file where a folder is needed: name another folder, or move the file"
    return None
