"""A multilayer perceptron on statistics of 20 MFCC and their deltas."""

import numpy as np
import torch
from torch import nn

from finser.config.sections.classifiers import Mlp
from finser.features.rows import Reader
from finser.features.statistics import N_MFCC_STATISTICS, mfcc
from finser.models.network import NetworkClassifier
from finser.training.batches import Collate


class Perceptron(nn.Module):
    """z-score (training statistics), then Linear, ReLU and dropout per hidden layer, then Linear to the classes."""

    def __init__(self, n_classes: int, n_inputs: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_inputs))
        self.register_buffer("scale", torch.ones(n_inputs))
        widths = [n_inputs, *hidden]
        blocks = [layer for a, b in zip(widths, widths[1:], strict=False) for layer in (nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout))]
        self.layers = nn.Sequential(*blocks, nn.Linear(widths[-1], n_classes))

    def forward(self, statistics: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (batch, classes), of statistics that are not normalised, shape (batch, n_inputs)."""
        return self.layers((statistics - self.mean) / self.scale)


class MlpClassifier(NetworkClassifier):
    """:class:`Perceptron` with the interface of all classifiers."""

    def normalise_on(self, inputs: list[np.ndarray]) -> None:
        """Compute mean and standard deviation per column; a standard deviation of 0 becomes 1."""
        table = np.stack(inputs).astype(np.float64)
        sd = table.std(0)
        self.net.mean.copy_(torch.from_numpy(table.mean(0)))
        self.net.scale.copy_(torch.from_numpy(np.where(sd > 0, sd, 1)))

    def collate(self, *, training: bool) -> Collate:
        """Return a collate that stacks examples; nothing is random."""
        return Stack()


def reader(options: Mlp) -> Reader:
    """Return the reader of statistics of MFCC and deltas."""
    return mfcc()


def begin(options: Mlp, n_classes: int) -> MlpClassifier:
    """Return a network with random weights from torch's generator."""
    return MlpClassifier(Perceptron(n_classes, N_MFCC_STATISTICS, options.hidden, options.dropout), options)


class Stack:
    """Stack examples to one tensor of shape (batch, n_inputs); nothing is random."""

    def __call__(self, inputs: list[np.ndarray], _: np.random.Generator | None) -> tuple[torch.Tensor]:
        """Stack the examples of a batch."""
        return (torch.from_numpy(np.stack(inputs)),)

    def length(self, _: np.ndarray) -> int:
        """Return 0: all examples have one shape."""
        return 0
