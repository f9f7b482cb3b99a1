"""Draw cases and seed random numbers per epoch from seed and epoch, so that a resume is exact."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sized

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data.utils import set_rnd
from torch.utils.data import Dataset, Sampler


class CaseBatchSampler(Sampler[list[int]]):
    """Batches of case indices; an epoch has a fixed number of steps for any size of the cohort.

    No case is repeated before all cases were drawn, also across epochs. With several ranks each takes its
    part of every batch. `size` may change between epochs.

    Args:
        data: dataset; only its length is used.
        steps: batches per epoch.
        size: cases per batch and rank.
        seed: seed of the order.
        rank: of this process.
        world_size: number of processes.
    """

    def __init__(
        self, *, data: Sized, steps: int, size: int, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        self.data, self.steps, self.size, self.seed = data, steps, size, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 1

    def __len__(self) -> int:
        return self.steps

    def require_cases(self) -> None:
        """Check that there are cases, which reads the list of cases if nothing did before.

        Raises:
            ValueError: the dataset is empty.
        """
        if len(self.data) == 0:
            raise ValueError("The training section of the datalist is empty: add training cases.")

    def __iter__(self) -> Iterator[list[int]]:
        self.require_cases()
        cases_per_step = self.size * self.world_size
        first_of_epoch = (self.epoch - 1) * self.steps * cases_per_step
        for step in range(self.steps):
            first = first_of_epoch + step * cases_per_step + self.rank * self.size
            yield [self.find_case(first + offset) for offset in range(self.size)]

    def find_case(self, position: int) -> int:
        """Return the index of the case at a position of the infinite shuffled sequence."""
        cycle, offset = divmod(position, len(self.data))
        return int(np.random.default_rng((self.seed, cycle)).permutation(len(self.data))[offset])


class ReadCases:
    """Handler that reads the lists of cases when the run starts; a fault in them ends it before any work.

    Args:
        batches: sampler of the training cases.
        validation: validation dataset.
    """

    def __init__(self, *, batches: CaseBatchSampler, validation: Sized) -> None:
        self.batches, self.validation = batches, validation

    def attach(self, engine: Engine) -> None:
        """Read on STARTED; attach it before the handlers that write."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Read both lists.

        Raises:
            CaseError: a list cannot be read, or names missing or invalid files.
            ValueError: there is no training case.
        """
        self.batches.require_cases()
        # the length is not needed, but a list that is not read yet is read to count it
        _ = len(self.validation)


class SeedEpochs:
    """Handler that seeds all random generators at the start of each epoch from (seed, epoch, rank).

    These are Python, numpy, torch and the transforms of the training data. A resumed epoch draws the same
    numbers as in an uninterrupted run, and no generator state is saved. The numbers also depend on the number
    of loader workers.

    Args:
        data: training dataset; its transforms are seeded if they run in this process.
        batches: batch sampler whose `epoch` is set.
        seed: seed of the training.
        rank: rank of this process.
    """

    def __init__(self, *, data: Dataset, batches: CaseBatchSampler, seed: int = 0, rank: int = 0) -> None:
        self.data, self.batches, self.seed, self.rank = data, batches, seed, rank

    def attach(self, engine: Engine) -> None:
        """Seed on every EPOCH_STARTED, before the loader draws the base seed of its workers."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Seed the generators for the present epoch."""
        epoch = int(engine.state.epoch)
        epoch_seed = int(np.random.SeedSequence((self.seed, epoch, self.rank)).generate_state(1)[0])
        random.seed(epoch_seed)
        np.random.seed(epoch_seed)
        torch.manual_seed(epoch_seed)
        set_rnd(self.data, epoch_seed)
        self.batches.epoch = epoch
