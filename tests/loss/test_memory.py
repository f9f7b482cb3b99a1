"""The memory bank is first in, first out, and part of the state."""

import torch

from scripts.lidia.loss.memory_bank import MemoryBank


def rows(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None].expand(-1, 2)


def test_it_wraps_round_and_overwrites_the_oldest():
    bank = MemoryBank(size=4, width=2)
    assert len(bank.entries()[1]) == 0
    bank.fill(rows(1, 2, 3), torch.tensor([2, 3, 4]))
    assert bank.entries()[1].tolist() == [2, 3, 4]
    bank.fill(rows(4, 5), torch.tensor([5, 6]))
    assert bank.classes.tolist() == [6, 3, 4, 5]
    assert bank.features[:, 0].tolist() == [5, 2, 3, 4]
    assert int(bank.pointer) == 1


def test_more_than_fits_keeps_the_newest():
    bank = MemoryBank(size=3, width=2)
    bank.fill(rows(1, 2, 3, 4, 5), torch.tensor([2, 3, 4, 5, 6]))
    assert sorted(bank.classes.tolist()) == [4, 5, 6]


def test_it_is_saved_and_loaded_and_keeps_no_gradient():
    bank, again = MemoryBank(size=4, width=2), MemoryBank(size=4, width=2)
    bank.fill(rows(1, 2).requires_grad_(), torch.tensor([2, 9]))
    again.load_state_dict(bank.state_dict())
    again.fill(rows(3), torch.tensor([4]))
    assert again.classes.tolist() == [2, 9, 4, -1]
    assert not again.features.requires_grad


def test_nothing_to_add_changes_nothing():
    bank = MemoryBank(size=4, width=2)
    bank.fill(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long))
    assert int(bank.pointer) == 0 and len(bank.entries()[0]) == 0
