"""What the networks share behind the interface of all classifiers; a model's module adds its net, its inputs and its collate."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from finser.config.sections.classifiers import Network, SpectrogramNetwork
from finser.errors import FinserError
from finser.features.examples import Examples, check_training_part
from finser.features.log_mel import Collate, statistics
from finser.models import Learned
from finser.training import learning

WEIGHTS = "model.safetensors"


class NetworkClassifier:
    """A network as a classifier.

    Parameters
    ----------
    net : nn.Module
        Logits (batch, 8) of what `collate` makes; with buffers ``mean`` and ``scale``, which are saved with it.
    options : Network
        Its section of params.yaml.
    """

    def __init__(self, net: nn.Module, options: Network) -> None:
        self.net, self.options = net, options

    @property
    def n_params(self) -> int:
        """Weights and biases that learn."""
        return learning.n_trainable(self.net.parameters())

    def fit(self, train: Examples, validation: Examples, names: tuple, checkpoint: Path | None = None) -> Learned:
        """Train all that learns; see :func:`finser.training.learning.learn`."""
        check_training_part(train)
        started, options = time.perf_counter(), self.options
        given, judged = self.prepare(train.inputs, validation.inputs)
        once = time.perf_counter() - started
        learned = learning.learn(
            self.net,
            learning.Batches(given, train.targets, self.collate(training=True), options.batch_size, names, options.balance == "sampling"),
            learning.Batches(judged, validation.targets, self.collate(training=False), options.batch_size),
            options,
            self.groups(),
            checkpoint,
        )
        return learned._replace(once=once)

    def prepare(self, train: list[Any], validation: list[Any]) -> tuple[list[Any], list[Any]]:
        """Take the normalisation from the training part, and return what the net is given of both."""
        self.normalise_on(train)
        self.net.to(memory_format=torch.channels_last)  # a quarter less time on a CPU
        return train, validation

    def groups(self) -> list[dict]:
        """What learns, and how fast: parameter groups of the optimiser."""
        return [{"params": list(self.net.parameters()), "lr": self.options.learning_rate}]

    def probabilities(self, inputs: list[Any]) -> np.ndarray:
        """Softmax of the logits, shape (n, 8)."""
        return learning.predict(self.net, inputs, self.collate(training=False))

    def save(self, folder: Path) -> None:
        """Weights, biases and normalisation as model.safetensors."""
        save_file({name: tensor.contiguous() for name, tensor in self.net.state_dict().items()}, folder / WEIGHTS)

    def receive(self, folder: Path) -> None:
        """Take the weights of the encoder from `folder` if ``init`` names any; the last layers keep their random weights.

        Raises
        ------
        FinserError
            There is none, or it lacks a tensor of this network's trunk.
        """
        if self.options.init is not None:
            put_weights(self.net, folder / WEIGHTS, only_trunk=True)

    def restore(self, folder: Path) -> None:
        """Be the network that was saved in `folder`."""
        put_weights(self.net, folder / WEIGHTS)

    def normalise_on(self, inputs: list[Any]) -> None:
        """Take means and deviations from the training part."""
        raise NotImplementedError

    def collate(self, *, training: bool) -> learning.Collate:
        """What makes batches of inputs; in training it may draw."""
        raise NotImplementedError


class SpectrogramClassifier(NetworkClassifier):
    """A network on log-mel spectrograms."""

    options: SpectrogramNetwork

    def normalise_on(self, inputs: list[np.ndarray]) -> None:
        """Mean and deviation of every band over the frames of the training clips."""
        mean, scale = statistics(inputs)
        self.net.mean.copy_(torch.from_numpy(mean))
        self.net.scale.copy_(torch.from_numpy(scale))

    def collate(self, *, training: bool) -> Collate:
        """Crops and augmentation in training, whole clips else."""
        mean, scale, options = self.net.mean.numpy(), self.net.scale.numpy(), self.options
        plain = Collate(mean, scale, options.log_mel.center)
        return Collate(mean, scale, options.log_mel.center, options.log_mel.crop_frames, options.augment) if training else plain


def put_weights(net: nn.Module, path: Path, *, only_trunk: bool = False) -> None:
    """Load all weights, or with `only_trunk` all of the trunk (what ``net.TRUNK`` names), while the rest stays as drawn.

    Raises
    ------
    FinserError
        The file is missing or damaged, is of another topology, or lacks a tensor.
    """
    wanted = {name for name in net.state_dict() if not only_trunk or name.split(".")[0] in net.TRUNK}
    try:
        weights = load_file(path)
        wrong = [*sorted(weights.keys() - wanted), *sorted(wanted - weights.keys())]
        if wrong:
            what = f"{'has' if wrong[0] in weights else 'lacks'} {wrong[0]}"
            raise FinserError(f"weights of another topology: {what}", where=path, do="run: dvc repro")
        net.load_state_dict(weights, strict=not only_trunk)
    except FileNotFoundError:
        raise FinserError("no such file", where=path, do="run: dvc repro") from None
    except SafetensorError as error:
        raise FinserError(f"not a readable model ({error})", where=path, do="delete the folder and run: dvc repro") from None
    except RuntimeError as error:
        raise FinserError(f"weights of another topology ({' '.join(str(error).split())})", where=path, do="run: dvc repro") from None
