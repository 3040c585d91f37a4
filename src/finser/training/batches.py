"""Mini-batches: which examples share one, and in which order an epoch goes through them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from finser import seeds


class Collate(Protocol):
    """Makes the tensors of a mini-batch."""

    def __call__(self, inputs: list[Any], rng: np.random.Generator | None) -> tuple[torch.Tensor, ...]:
        """Draw crops and augmentation from the generator; without one, draw nothing and keep inputs whole."""

    def length(self, example: Any) -> int:
        """Length that a whole input is padded to; only inputs of one length share a batch, so that no input changes another's output."""


@dataclass(frozen=True)
class Batches:
    """Mini-batches (inputs ..., targets) of a part of a split.

    Attributes
    ----------
    inputs : list
        One per example.
    targets : np.ndarray, optional
        int64, shape (n,); without them the collate makes the targets.
    collate : Collate
        Makes the tensors of a batch.
    size : int
        Examples per batch.
    names : tuple, optional
        Names of the draws: epoch e shuffles and crops by ``generator(*names, e)``. Without names nothing is drawn, and a batch
        holds inputs of one length.
    balanced : bool
        Draw examples with replacement, so that every class in `targets` is equally frequent, instead of each example once.
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
        """The mini-batches of an epoch, from 1; the number does not matter without names."""
        rng = None if self.names is None else seeds.generator(*self.names, epoch)
        groups = alike(self.inputs, self.collate, self.size) if rng is None else in_groups(self._order(rng), self.size)
        for chosen in groups:
            tensors = self.collate([self.inputs[i] for i in chosen], rng)
            yield tensors if self.targets is None else (*tensors, torch.from_numpy(self.targets[chosen]))

    def data(self) -> Iterator[bytes]:
        """Inputs and targets as bytes, for the key of a checkpoint."""
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
    """Groups of `size`, the last one smaller; a single remaining example joins the group before, since batch normalisation needs two."""
    ends = list(range(size, len(order), size))
    if size > 1 and len(order) > size and len(order) % size == 1:
        ends.pop()
    return np.split(order, ends)


def alike(inputs: list[Any], collate: Collate, size: int) -> list[np.ndarray]:
    """Groups of inputs of one padded length, at most `size` each, the shortest first, as numbers of the inputs."""
    lengths = np.array([collate.length(example) for example in inputs])
    groups = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
    return [group[first : first + size] for group in groups for first in range(0, len(group), size)]
