"""A second pass repeats the random choices of the first, even with other weights."""

import pytest
import torch

from scripts.lidia.loss.criterion import Criterion
from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.recorded_randomness import RecordedChoices, record_choices, replay_choices


class Chooser(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.choices = RecordedChoices()

    def forward(self):
        return [float(self.choices.choose(lambda: torch.rand(()))) for _ in range(3)]


def test_a_replay_gives_back_what_was_recorded_in_order():
    chooser = Chooser()
    with record_choices(chooser):
        first = chooser()
    with replay_choices(chooser):
        assert chooser() == first
    assert chooser() != first


def test_a_replay_with_more_choices_than_recorded_is_an_error():
    chooser = Chooser()
    with record_choices(chooser):
        chooser()
    with replay_choices(chooser), pytest.raises(RuntimeError, match="more choices"):
        chooser(), chooser()


def test_network_and_criterion_give_the_same_result_in_a_replay():
    torch.manual_seed(0)
    network = build_lidia(channels=(4, 8, 8, 8), hidden_dim=16, mask_dim=8).train()
    criterion = Criterion()
    image = torch.randn(1, 4, 32, 32, 32)
    target = torch.ones(1, 2, 32, 32, 32, dtype=torch.int16)
    target[:, 1] = 0
    target[:, :, 8:20, 8:20, 8:20] = torch.tensor([7, 1], dtype=torch.int16)[None, :, None, None, None]
    with record_choices(network, criterion):
        first = criterion(network(image, target), target)
    with replay_choices(network, criterion):
        second = criterion(network(image, target), target)
    fresh = criterion(network(image, target), target)
    assert torch.equal(first, second)
    assert not torch.equal(first, fresh)
