"""Values that no endpoint of a label server may take, evaluate, open or write to."""

from __future__ import annotations

from typing import Any

MARKER = "marker_of_a_hostile_request"

TEXTS = (
    f"$__import__('pathlib').Path('{MARKER}').touch()",
    f"$open('{MARKER}', 'w')",
    "$@bundle_root",
    "$(touch " + MARKER + ")",
    f"`touch {MARKER}`",
    f"; touch {MARKER}",
    f"| touch {MARKER}",
    f"x\ntouch {MARKER}",
    "@network",
    "@trainer::max_epochs",
    "%train.json",
    "%/etc/passwd",
    f"__import__('os').system('touch {MARKER}')",
    "train::trainer::max_epochs",
    "_target_::os.system",
    "/etc/passwd",
    f"/tmp/{MARKER}",
    "../../../../etc/passwd",
    "..",
    "..\\..\\windows",
    "a/../../b",
    "./P1",
    "~/P1",
    "file:///etc/passwd",
    "http://127.0.0.1:1/x",
    "P1\0.nii.gz",
    "\0",
    "\r\nX-Injected: 1",
    "\u202egnp.1P",
    "\uff04\uff20\uff05",
    "\u2025/\u2025",
    "P\uff0f1",
    "\ufe68etc",
    "x" * 5000,
    "{{7*7}}",
    "<script>alert(1)</script>",
    '{"_target_": "os.system"}',
)
"""Expressions of MONAI's configs, of Python and of shells; paths; control characters; look-alikes; length."""

NESTED: tuple[Any, ...] = (
    {"_target_": "os.system", "command": f"touch {MARKER}"},
    {"_target_": "subprocess.run", "args": ["touch", MARKER]},
    {"a": {"b": {"c": "$1"}}},
    [f"$open('{MARKER}', 'w')"],
    [[[[[[]]]]]],
    ["/etc/passwd"] * 2000,
    {f"key{number}": number for number in range(2000)},
)

NUMBERS: tuple[Any, ...] = (10**30, -(10**30), 1e308, float("inf"), float("-inf"), float("nan"))

KEYS = (
    "train#trainer#max_epochs",
    "train::trainer::max_epochs",
    "$__import__('os')",
    "@network",
    "%x",
    "_target_",
    "_requires_",
    "_disabled_",
    "bundle_path",
    "bundle_root",
    "image",
    "model",
    "session",
    "label",
    "local_rank",
    "force_multi_gpu",
    "tracking_run_name",
    "network_def",
    "train#handlers",
    "displayable_configs",
    "result",
    "skip_writer",
    "image_path",
    "roi_size",
    "method",
    "strategy",
    "\0",
    "k" * 5000,
)
"""Keys of MONAI's configs, of MONAI Label's requests and of its transforms; none is an option of a client."""
