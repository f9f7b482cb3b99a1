"""Cases and random numbers of an epoch: functions of seed and epoch alone, so that resume is exact."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sized

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data.utils import set_rnd
from torch.utils.data import Dataset, Sampler


class CaseBatchSampler(Sampler[list[int]]):
    """Batches of case indices; an epoch is a fixed number of steps, whatever the cohort's size.

    Cases come without repetition until all were seen, across epochs too. With several ranks each takes its
    part of every batch. `size` may change between epochs.

    Args:
        data: what is drawn from; only its length counts.
        steps: batches an epoch.
        size: cases a batch and rank.
        seed: of the order.
        rank: of this process.
        world_size: number of processes.

    Raises:
        ValueError: there is nothing to draw from.
    """

    def __init__(
        self, *, data: Sized, steps: int, size: int, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        if len(data) == 0:
            raise ValueError("The training section of the datalist is empty: nothing to train on.")
        self.data, self.steps, self.size, self.seed = data, steps, size, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 1

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        draw = self.size * self.world_size
        place = (self.epoch - 1) * self.steps * draw
        for step in range(self.steps):
            first = place + step * draw + self.rank * self.size
            yield [self.case(first + offset) for offset in range(self.size)]

    def case(self, place: int) -> int:
        """Index of the case at a place of the endless shuffled stream."""
        lap, position = divmod(place, len(self.data))
        return int(np.random.default_rng((self.seed, lap)).permutation(len(self.data))[position])


class SeedEpochs:
    """Seeds everything random at the start of each epoch from (seed, epoch, rank).

    Python, numpy, torch and the transforms of the training data: an epoch after a resume draws what it would
    have drawn in an unbroken run, and no generator's state need be kept. The number of loader workers is part
    of the seed.

    Args:
        data: training dataset, whose transforms are seeded where they run in this process.
        batches: told the epoch.
        seed: of the training.
        rank: of this process.
    """

    def __init__(self, *, data: Dataset, batches: CaseBatchSampler, seed: int = 0, rank: int = 0) -> None:
        self.data, self.batches, self.seed, self.rank = data, batches, seed, rank

    def attach(self, engine: Engine) -> None:
        """Seeds on every EPOCH_STARTED, before the loader draws its own base seed for workers."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Seeds the epoch that `engine.state` names."""
        epoch = int(engine.state.epoch)
        own = int(np.random.SeedSequence((self.seed, epoch, self.rank)).generate_state(1)[0])
        random.seed(own)
        np.random.seed(own)
        torch.manual_seed(own)
        set_rnd(self.data, own)
        self.batches.epoch = epoch
