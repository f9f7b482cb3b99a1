"""Translate errors of the machine (memory, device, disk, permissions) into one line with a remedy."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

ERROR_PATTERNS: tuple[tuple[str, str], ...] = (
    (
        r"out of shared memory|shared memory object|unable to (?:write|mmap|open).*torch_|signal: Bus",
        "there is too little shared memory for the processes that load data: add --num_workers 0 "
        "(check.json: --workers 0), or start the container with docker run --shm-size=2g or --ipc=host",
    ),
    (
        r"items of ancdata|Too many open files",
        "too many files are open: raise the limit with `ulimit -n 4096`, or add --num_workers 0",
    ),
    (
        r"not compiled with CUDA|No CUDA GPUs|NVIDIA driver|device ordinal|MPS backend|not linked with",
        "the device of --device is not available: use --device cpu, or a device that PyTorch finds "
        "(python -c 'import torch; print(torch.cuda.device_count())')",
    ),
    (
        r"PytorchStreamWriter failed writing|file write failed",
        "a file could not be written completely: free disk space, or choose a folder on another disk with "
        "--output_dir",
    ),
    (
        r"determine home directory",
        "the home folder is unknown: set the variable HOME, or write paths without ~",
    ),
)
"""Patterns of error messages of PyTorch and Python, and the message for the user."""

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)
NOT_A_FOLDER = (errno.ENOTDIR, errno.EEXIST)


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
    for pattern, line in ERROR_PATTERNS:
        if re.search(pattern, text) or (is_shared_memory and line is ERROR_PATTERNS[0][1]):
            return line
    if not isinstance(error, OSError):
        return None
    file = error.filename2 or error.filename or "a file"
    if error.errno in DISK_FULL:
        return f"no disk space for {file}: free space, or choose a folder on another disk with --output_dir"
    if error.errno in NO_PERMISSION:
        return (
            f"{file}: {error.strerror}. Check the permissions of the folder, or choose another (--output_dir)"
        )
    if error.errno in NOT_A_FOLDER:
        return f"{file} is a file, but a folder is needed there: choose another folder, or move the file"
    return None
