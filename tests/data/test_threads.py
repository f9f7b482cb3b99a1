"""Phases are prepared in parallel: results keep their order, and the first fault is raised as in a loop."""

from collections.abc import Iterator

import pytest
import torch

from scripts.lidia.data.map_in_threads import map_in_threads


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_results_come_in_the_order_given() -> None:
    assert map_in_threads(lambda n: n * n, [3, 1, 2]) == [9, 1, 4]
    assert map_in_threads(str, []) == []


@pytest.mark.usefixtures("threads")
def test_the_first_fault_in_order_is_raised() -> None:
    def broken(n: int) -> float:
        return 1 / n if n == 0 else float("no number")

    with pytest.raises(ZeroDivisionError):
        map_in_threads(broken, [0, 5])
    with pytest.raises(ValueError, match="no number"):
        map_in_threads(broken, [5, 0])
