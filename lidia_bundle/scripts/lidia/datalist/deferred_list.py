"""Defer the reading of a list of cases to its first use, so that building a config reads no file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial, wraps
from inspect import signature
from typing import Any, ParamSpec

from scripts.lidia.datalist.read_datalist import load_datalist

Item = dict[str, Any]
P = ParamSpec("P")


class DeferredList(Sequence[Item]):
    """List of items that is read when its length or an item is needed for the first time.

    Args:
        read: function that returns the items.
    """

    def __init__(self, read: Callable[[], Sequence[Item]]) -> None:
        self._read: Callable[[], Sequence[Item]] | None = read
        self._items: Sequence[Item] = ()

    @property
    def items(self) -> Sequence[Item]:
        """The items; the first access reads them, and an error of the reading is raised here."""
        if self._read is not None:
            self._items = self._read()
            self._read = None  # the processes of a loader receive the items instead of reading again
        return self._items

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]


def defer(read: Callable[P, Sequence[Item]]) -> Callable[P, DeferredList]:
    """Make a function that returns a `DeferredList` instead of reading.

    Args:
        read: function that reads items.

    Returns:
        Function with the parameters of `read`; wrong parameters are an error when it is called.
    """

    @wraps(read)
    def make_list(*args: P.args, **kwargs: P.kwargs) -> DeferredList:
        signature(read).bind(*args, **kwargs)
        return DeferredList(partial(read, *args, **kwargs))

    return make_list


defer_datalist = defer(load_datalist)
