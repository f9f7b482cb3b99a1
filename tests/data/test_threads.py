"""Phases are prepared side by side: the same results in order, the first fault as in a loop."""

from collections.abc import Iterator

import pytest
import torch

from scripts.lidia.data.threads import side_by_side


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_results_come_in_the_order_given() -> None:
    assert side_by_side(lambda n: n * n, [3, 1, 2]) == [9, 1, 4]
    assert side_by_side(str, []) == []


@pytest.mark.usefixtures("threads")
def test_the_first_fault_in_order_is_raised() -> None:
    def broken(n: int) -> float:
        return 1 / n if n == 0 else float("no number")

    with pytest.raises(ZeroDivisionError):
        side_by_side(broken, [0, 5])
    with pytest.raises(ValueError, match="no number"):
        side_by_side(broken, [5, 0])
