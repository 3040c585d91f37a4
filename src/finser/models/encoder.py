"""A dense network on a weighted sum of the layers of an encoder that stays as published."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from finser.config.sections.classifiers import EncoderHead
from finser.files import write_json
from finser.models.encoder_inputs import ENCODER, Inputs, inputs_of, reader
from finser.models.network import NetworkClassifier
from finser.models.pooling import WeightedLayers
from finser.training.batches import Collate

__all__ = ["EncoderClassifier", "EncoderNet", "begin", "reader"]


class EncoderNet(nn.Module):
    """z-score of every statistic of every layer (training statistics), the weighted sum of the layers, dense layers.

    Parameters
    ----------
    n_classes : int
        Number of logits.
    inputs : Inputs
        The statistics that are used.
    hidden : tuple of int
        Units per hidden layer.
    dropout : float
        After every hidden layer, and before the first.
    """

    def __init__(self, n_classes: int, inputs: Inputs, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs.n_layers, inputs.width))
        self.register_buffer("scale", torch.ones(inputs.n_layers, inputs.width))
        self.layers = WeightedLayers(inputs.n_layers)
        widths = [inputs.width, *hidden]
        blocks = [layer for a, b in zip(widths, widths[1:], strict=False) for layer in (nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout))]
        self.dense = nn.Sequential(nn.Dropout(dropout), *blocks, nn.Linear(widths[-1], n_classes))

    def forward(self, statistics: Tensor) -> Tensor:
        """Return logits (batch, classes) of statistics (batch, layers, width)."""
        return self.dense(self.layers((statistics - self.mean) / self.scale))


class EncoderClassifier(NetworkClassifier):
    """:class:`EncoderNet` with the interface of all classifiers."""

    net: EncoderNet
    options: EncoderHead

    def __init__(self, net: EncoderNet, options: EncoderHead, inputs: Inputs, encoder: dict) -> None:
        super().__init__(net, options)
        self.inputs, self.encoder = inputs, encoder

    @property
    def encoder_params(self) -> int:
        """Number of parameters of the encoder."""
        return self.inputs.encoder_params

    @property
    def found(self) -> dict:
        """Return the weights of the layers."""
        return {"layer_weights": self.net.layers.weights()}

    def prepare(self, train: list[np.ndarray], validation: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Compute mean and standard deviation of every number on the training part; a standard deviation of 0 becomes 1."""
        table = self.inputs.table(train).astype(np.float64)
        sd = table.std(0)
        self.net.mean.copy_(torch.from_numpy(table.mean(0)))
        self.net.scale.copy_(torch.from_numpy(np.where(sd > 0, sd, 1)))
        return train, validation

    def groups(self) -> list[dict]:
        """Return the parameter groups; the weights of the layers have their own learning rate, and no weight decay."""
        layers = {"params": list(self.net.layers.parameters()), "lr": self.options.layer_learning_rate, "weight_decay": 0.0}
        return [{"params": list(self.net.dense.parameters()), "lr": self.options.learning_rate}, layers]

    def collate(self, *, training: bool) -> Collate:
        """Return a collate that selects the statistics and stacks examples; nothing is random."""
        return StackStatistics(self.inputs)

    def receive(self, folder: Path) -> None:
        """Do nothing: the encoder stays as published, and the layers above it start from random weights."""

    def save(self, folder: Path) -> None:
        """Write the network to model.safetensors, and the encoder's config.json."""
        super().save(folder)
        write_json(folder / ENCODER, self.encoder)


class StackStatistics:
    """Stack the chosen statistics of examples to (batch, layers, width); nothing is random."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs

    def __call__(self, inputs: list[np.ndarray], _: np.random.Generator | None) -> tuple[Tensor]:
        """Stack the examples of a batch."""
        return (torch.from_numpy(self.inputs.table(inputs)),)

    def length(self, _: np.ndarray) -> int:
        """Return 0: all examples have one shape."""
        return 0


def begin(options: EncoderHead, n_classes: int, given: Path) -> EncoderClassifier:
    """Return a network with random weights from torch's generator, on the encoder whose config.json `given` holds."""
    inputs, encoder = inputs_of(options, given)
    return EncoderClassifier(EncoderNet(n_classes, inputs, options.hidden, options.dropout), options, inputs, encoder)
