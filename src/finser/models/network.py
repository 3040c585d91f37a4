"""Common code of the networks: normalisation, parameter groups, prediction and saving.

A model's module adds its network, inputs and collate.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from finser.config.sections.classifiers import Network, SpectrogramNetwork
from finser.errors import FinserError
from finser.features.log_mel import CollateFrames, statistics
from finser.models import readable_model
from finser.training.batches import Collate, alike
from finser.training.device import start_torch

WEIGHTS = "model.safetensors"


class NetworkClassifier:
    """A network with the interface of all classifiers.

    Parameters
    ----------
    net : nn.Module
        Network from what `collate` makes to logits (batch, classes). Its buffers ``mean`` and ``scale`` are saved with it.
    options : Network
        The classifier's section of params.yaml.
    """

    def __init__(self, net: nn.Module, options: Network) -> None:
        self.net, self.options = net, options

    @property
    def n_params(self) -> int:
        """Number of trained weights and biases."""
        return n_trainable(self.net.parameters())

    def prepare(self, train: list[Any], validation: list[Any]) -> tuple[list[Any], list[Any]]:
        """Compute the normalisation on the training part; return the network's inputs for both parts."""
        self.normalise_on(train)
        self.net.to(memory_format=torch.channels_last)  # a quarter less time on a CPU
        return train, validation

    def groups(self) -> list[dict]:
        """Return the optimiser's parameter groups, each with its peak learning rate."""
        return [{"params": list(self.net.parameters()), "lr": self.options.learning_rate}]

    def probabilities(self, inputs: list[Any]) -> np.ndarray:
        """Return the softmax of the logits, shape (n, classes)."""
        return predict(self.net, inputs, self.collate(training=False))

    def save(self, folder: Path) -> None:
        """Write weights, biases and normalisation to model.safetensors."""
        save_file({name: tensor.contiguous() for name, tensor in self.net.state_dict().items()}, folder / WEIGHTS)

    def receive(self, folder: Path) -> None:
        """Load the encoder's weights from `folder` if ``init`` names any; the last layers keep their random weights.

        Raises
        ------
        FinserError
            The file is missing, or lacks a tensor of this network's trunk.
        """
        if self.options.init is not None:
            put_weights(self.net, folder / WEIGHTS, only_trunk=True)

    def restore(self, folder: Path) -> None:
        """Load the network that was saved in `folder`."""
        put_weights(self.net, folder / WEIGHTS)

    def normalise_on(self, inputs: list[Any]) -> None:
        """Compute means and standard deviations on the training part."""
        raise NotImplementedError

    def collate(self, *, training: bool) -> Collate:
        """Return the collate of mini-batches; in training with random crops and augmentation."""
        raise NotImplementedError


class SpectrogramClassifier(NetworkClassifier):
    """A network on log-mel spectrograms."""

    options: SpectrogramNetwork

    def normalise_on(self, inputs: list[np.ndarray]) -> None:
        """Compute mean and standard deviation of every band over the frames of the training clips."""
        mean, scale = statistics(inputs)
        self.net.mean.copy_(torch.from_numpy(mean))
        self.net.scale.copy_(torch.from_numpy(scale))

    def collate(self, *, training: bool) -> CollateFrames:
        """Return a collate with crops and augmentation for training, of whole clips otherwise."""
        mean, scale, options = self.net.mean.numpy(), self.net.scale.numpy(), self.options
        plain = CollateFrames(mean, scale, options.log_mel.center)
        return CollateFrames(mean, scale, options.log_mel.center, options.log_mel.crop_frames, options.augment) if training else plain


def put_weights(net: nn.Module, path: Path, *, only_trunk: bool = False) -> None:
    """Load all weights, or with `only_trunk` only those of the trunk (``net.TRUNK``); the others stay unchanged.

    Raises
    ------
    FinserError
        The file is missing or damaged, is of another topology, or lacks a tensor.
    """
    wanted = {name for name in net.state_dict() if not only_trunk or name.split(".")[0] in net.TRUNK}
    with readable_model(path):
        weights = load_file(path)
    try:
        wrong = [*sorted(weights.keys() - wanted), *sorted(wanted - weights.keys())]
        if wrong:
            what = f"{'has' if wrong[0] in weights else 'lacks'} {wrong[0]}"
            raise FinserError(f"weights of another topology: {what}", where=path, do="run: dvc repro")
        net.load_state_dict(weights, strict=not only_trunk)
    except RuntimeError as error:
        raise FinserError(f"weights of another topology ({' '.join(str(error).split())})", where=path, do="run: dvc repro") from None


@torch.no_grad()
def predict(net: nn.Module, inputs: list[Any], collate: Collate, size: int = 64) -> np.ndarray:
    """Return class probabilities of a network that outputs logits, float64, shape (n, classes).

    The network runs on the GPU if there is one, and is moved back to the CPU.
    """
    where = start_torch()
    net = net.eval().to(where)
    places, rows = [], []
    for chosen in alike(inputs, collate, size):
        batch = (tensor.to(where) for tensor in collate([inputs[i] for i in chosen], None))
        places += list(chosen)
        rows.append(net(*batch).double().softmax(1).cpu().numpy())  # (batch, classes)
    net.cpu()
    return np.concatenate(rows)[np.argsort(places)]


def n_trainable(parameters: Iterable[nn.Parameter]) -> int:
    """Return the number of parameters; shared parameters count once."""
    return sum(parameter.numel() for parameter in {id(p): p for p in parameters}.values())
