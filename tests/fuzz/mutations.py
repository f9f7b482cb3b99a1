"""Bytes spoilt at random: flipped, cut, doubled, overwritten; and a clock that nothing may run past."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("LIDIA_FUZZ", "40"))
"""Mutated inputs a test; 3000 make more than 20,000 in all."""
SECONDS = 10
many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 1000,  # the suite sees the same inputs every time, a long run new ones
    database=None,
    phases=[Phase.explicit, Phase.generate],  # shrinking takes minutes, and a file of bytes is short enough
    suppress_health_check=list(HealthCheck),
)
NASTY = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\xff\xff\xff\x7f")
"""Zero, minus one, largest and smallest, NaN, infinity."""


@st.composite
def spoilt(draw: st.DrawFn, complete: bytes, head: int | None = None) -> bytes:
    """The bytes of a file after one to four changes.

    Args:
        draw: of hypothesis.
        complete: the file.
        head: half of the changes fall among the first so many bytes, where formats keep what matters.
    """
    content = bytearray(complete)
    for _ in range(draw(st.integers(1, 4))):
        end = len(content) if head is None or draw(st.booleans()) else min(head, len(content))
        if not end:
            break
        at = draw(st.integers(0, end - 1))
        how = draw(st.sampled_from(("flip", "nasty", "cut", "double", "drop")))
        if how == "flip":
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "nasty":
            value = draw(st.sampled_from(NASTY))
            content[at : at + len(value)] = value
        elif how == "cut":
            del content[at:]
        elif how == "double":
            content[at:at] = content[at : at + draw(st.integers(1, 64))]
        else:
            del content[at : at + draw(st.integers(1, 64))]
    return bytes(content)


@contextmanager
def in_time(seconds: int = SECONDS) -> Iterator[None]:
    """Fails what runs longer.

    Raises:
        TimeoutError: it did.
    """

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
