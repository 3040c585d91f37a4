"""What the networks share: mini-batches, how long and how fast they learn, prediction."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from finser import seeds
from finser.config.sections.classifiers import Network
from finser.emotions import EMOTIONS
from finser.machine import training_threads
from finser.models import Learned


class Collate(Protocol):
    """Makes the tensors of a batch."""

    def __call__(self, inputs: list[Any], rng: np.random.Generator | None) -> tuple[torch.Tensor, ...]:
        """Crops and augmentation are drawn from the generator; without one nothing is drawn, and inputs stay whole."""

    def length(self, example: Any) -> int:
        """What a whole input is padded to: inputs of one length share a batch, so that none is changed by another's."""


@dataclass
class Batches:
    """Mini-batches of (inputs ..., targets), an epoch per iteration.

    Attributes
    ----------
    inputs : list
        One per example.
    targets : np.ndarray
        int64, shape (n,).
    collate : Collate
        Makes the tensors of a batch.
    names : tuple, optional
        Of what the draws are for: epoch e shuffles and crops by ``generator(*names, e)``. Without names nothing is drawn, and a batch
        holds inputs of one length.
    balanced : bool
        Examples are drawn with replacement, so that every class in `targets` comes equally often, instead of each once.
    """

    inputs: list[Any]
    targets: np.ndarray
    collate: Collate
    size: int
    names: tuple | None = None
    balanced: bool = False
    epoch: int = 0

    def __len__(self) -> int:
        if self.names is None:
            return len(alike(self.inputs, self.collate, self.size))
        return len(in_groups(np.arange(len(self.inputs)), self.size))

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        rng, groups = None, []
        if self.names is not None:
            self.epoch += 1
            rng = seeds.generator(*self.names, self.epoch)
            order = self._drawn(rng) if self.balanced else rng.permutation(len(self.inputs))
            groups = in_groups(order, self.size)
        for chosen in groups or alike(self.inputs, self.collate, self.size):
            yield (*self.collate([self.inputs[i] for i in chosen], rng), torch.from_numpy(self.targets[chosen]))

    def _drawn(self, rng: np.random.Generator) -> np.ndarray:
        weight = 1 / np.bincount(self.targets)[self.targets]
        return rng.choice(len(self.targets), len(self.targets), p=weight / weight.sum())


def in_groups(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Groups of `size`, the last of what is left; one that is left joins the group before: batch normalisation cannot learn of one."""
    ends = list(range(size, len(order), size))
    if size > 1 and len(order) > size and len(order) % size == 1:
        ends.pop()
    return np.split(order, ends)


def alike(inputs: list[Any], collate: Collate, size: int) -> list[np.ndarray]:
    """Numbers of inputs of one length, at most `size` together, the shortest first."""
    lengths = np.array([collate.length(example) for example in inputs])
    groups = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
    return [group[first : first + size] for group in groups for first in range(0, len(group), size)]


def class_weights(targets: np.ndarray, balance: str) -> torch.Tensor:
    """Weight of each class in the loss, shape (8,): ones, or inverse to its frequency with mean 1 over the examples.

    A class that no example has then weighs nothing: label smoothing gives it a share of every example's target, and under the
    largest weight of all that share would teach the network to predict what nobody says.
    """
    weights = np.ones(len(EMOTIONS))
    if balance == "weights":
        counts = np.bincount(targets, minlength=len(EMOTIONS))
        weights = (counts > 0) * len(targets) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return torch.from_numpy(weights).float()


def device() -> str:
    """``cuda`` where there is a GPU, else ``cpu``; torch gets :func:`finser.machine.training_threads`."""
    torch.set_num_threads(training_threads())
    torch.set_flush_denormal(True)  # convolutions on denormals take many times as long
    return "cuda" if torch.cuda.is_available() else "cpu"


def learn(
    net: nn.Module, train: Batches, validation: Batches, options: Network, groups: list[dict], checkpoint: Path | None = None
) -> Learned:
    """Train `net` in place.

    The rate decays to zero over the epochs, so that the last epoch is a good one, and the best epoch on a validation part of two
    or three speakers would be a matter of luck: ``options.keep`` is `last` by default.

    Parameters
    ----------
    net : nn.Module
        Logits, shape (batch, 8), of the inputs of a batch.
    train : Batches
        Its names are those of every other draw, too.
    groups : list of dict
        Parameter groups ``{"params": ..., "lr": ...}``, each with the peak of its learning rate.
    checkpoint : Path, optional
        Where the state of the training is kept, and taken up again.

    Returns
    -------
    Learned
        Its history has per epoch: epoch, train_loss, validation_loss, validation_uar, validation_wa.
    """
    from finser.training.loop import fit  # lightning takes seconds to import

    device()
    learned = fit(net, train, validation, options, groups, checkpoint)
    net.eval().cpu()
    return learned


@torch.no_grad()
def predict(net: nn.Module, inputs: list[Any], collate: Collate, size: int = 64) -> np.ndarray:
    """Probabilities, float64, shape (n, 8)."""
    where = device()
    net = net.eval().to(where)
    result = np.empty((len(inputs), len(EMOTIONS)))
    for chosen in alike(inputs, collate, size):
        batch = (tensor.to(where) for tensor in collate([inputs[i] for i in chosen], None))
        result[chosen] = net(*batch).double().softmax(1).cpu().numpy()
    net.cpu()
    return result


def n_trainable(parameters: Iterable[nn.Parameter]) -> int:
    """How many numbers; shared weights count once."""
    return sum(parameter.numel() for parameter in {id(p): p for p in parameters}.values())
