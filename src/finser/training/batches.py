"""Mini-batches: how examples are grouped into batches, and their order in each epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from finser import seeds


class Collate(Protocol):
    """Makes the tensors of a mini-batch."""

    def __call__(self, inputs: list[Any], rng: np.random.Generator | None) -> tuple[torch.Tensor, ...]:
        """Make the tensors, with random crops and augmentation from `rng`. If `rng` is None, nothing is random and inputs stay whole."""

    def length(self, example: Any) -> int:
        """Return the padded length of a whole input.

        A batch holds inputs of one padded length, so that no input affects another's output.
        """


@dataclass(frozen=True)
class Batches:
    """Mini-batches (inputs ..., targets) of one part of a split.

    Attributes
    ----------
    inputs : list
        One per example.
    targets : np.ndarray, optional
        int64, shape (n,). If None, the collate makes the targets.
    collate : Collate
        Makes the tensors of a batch.
    size : int
        Examples per batch.
    names : tuple, optional
        Seed names: epoch e shuffles, crops and augments with ``generator(*names, e)``. If None, nothing is random, and a batch holds inputs
        of one padded length.
    balanced : bool
        Sample examples with replacement, so that every class in `targets` is equally frequent. By default each example occurs once per
        epoch.
    """

    inputs: list[Any]
    targets: np.ndarray | None
    collate: Collate
    size: int
    names: tuple | None = None
    balanced: bool = False

    def __len__(self) -> int:
        if self.names is None:
            return len(alike(self.inputs, self.collate, self.size))
        return len(in_groups(np.arange(len(self.inputs)), self.size))

    def of_epoch(self, epoch: int = 0) -> Iterator[tuple[torch.Tensor, ...]]:
        """Yield the mini-batches of an epoch. Epochs count from 1; without names every epoch is the same."""
        rng = None if self.names is None else seeds.generator(*self.names, epoch)
        groups = alike(self.inputs, self.collate, self.size) if rng is None else in_groups(self._order(rng), self.size)
        for chosen in groups:
            tensors = self.collate([self.inputs[i] for i in chosen], rng)
            yield tensors if self.targets is None else (*tensors, torch.from_numpy(self.targets[chosen]))

    def data(self) -> Iterator[bytes]:
        """Yield inputs and targets as bytes, for the key of a checkpoint."""
        for example in self.inputs:
            for array in example if isinstance(example, tuple) else (example,):
                yield np.ascontiguousarray(array).tobytes()
        if self.targets is not None:
            yield self.targets.tobytes()

    def _order(self, rng: np.random.Generator) -> np.ndarray:
        n = len(self.inputs)
        if not self.balanced:
            return rng.permutation(n)
        weight = 1 / np.bincount(self.targets)[self.targets]
        return rng.choice(n, n, p=weight / weight.sum())


def in_groups(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Split `order` into groups of `size`; the last group may be smaller.

    A single remaining example joins the previous group, since batch normalisation needs two.
    """
    ends = list(range(size, len(order), size))
    if size > 1 and len(order) > size and len(order) % size == 1:
        ends.pop()
    return np.split(order, ends)


def alike(inputs: list[Any], collate: Collate, size: int) -> list[np.ndarray]:
    """Group the indices of inputs by padded length, the shortest first, with at most `size` indices per group."""
    lengths = np.array([collate.length(example) for example in inputs])
    groups = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
    return [group[first : first + size] for group in groups for first in range(0, len(group), size)]
