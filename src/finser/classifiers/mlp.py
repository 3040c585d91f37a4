"""A dense network on statistics of 20 MFCC and their deltas."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from finser import seeds
from finser.classifiers import learning
from finser.classifiers.inputs import MFCC, N_MFCC_STATISTICS, Examples
from finser.emotions import EMOTIONS
from finser.files import read_json
from finser.params import Mlp, Params

SOURCE = MFCC


class DenseNet(nn.Module):
    """z-score (training statistics), then Linear, ReLU and dropout per hidden layer, then Linear to the classes."""

    def __init__(self, n_inputs: int, hidden: list[int], dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_inputs))
        self.register_buffer("scale", torch.ones(n_inputs))
        widths = [n_inputs, *hidden]
        blocks = [layer for a, b in zip(widths, widths[1:], strict=False) for layer in (nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout))]
        self.layers = nn.Sequential(*blocks, nn.Linear(widths[-1], len(EMOTIONS)))

    def forward(self, statistics: torch.Tensor) -> torch.Tensor:
        """Logits, shape (batch, 8), of raw statistics, shape (batch, n_inputs)."""
        return self.layers((statistics - self.mean) / self.scale)

    def normalise_on(self, inputs: np.ndarray) -> None:
        """Take mean and standard deviation from the training part, shape (n, n_inputs); a constant column stays as it is."""
        sd = inputs.std(0)
        self.mean.copy_(torch.from_numpy(inputs.mean(0)))
        self.scale.copy_(torch.from_numpy(np.where(sd > 0, sd, 1)))


def initial(params: Params, folder: Path) -> dict:
    """Random weights, drawn from ``initialise.seed``."""
    options = params.train_classifier.mlp
    net = {"n_inputs": N_MFCC_STATISTICS, "hidden": list(options.hidden), "dropout": options.dropout}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.seed_for(params.initialise.seed, "mlp", "initial"))
        save_file(DenseNet(**net).state_dict(), folder / "model.safetensors")
    return {"weights": "random", "net": net}


def load(folder: Path) -> "MlpClassifier":
    """A dense network, initial or trained."""
    net = DenseNet(**read_json(folder / "config.json")["net"])
    net.load_state_dict(load_file(folder / "model.safetensors"))
    return MlpClassifier(net)


class MlpClassifier:
    """:class:`DenseNet` behind the interface of all classifiers."""

    def __init__(self, net: DenseNet) -> None:
        self.net = net

    @property
    def n_params(self) -> int:
        """Weights and biases."""
        return learning.n_trainable(self.net.parameters())

    def fit(self, train: Examples, validation: Examples, options: Mlp, names: tuple) -> list[dict]:
        """Train all layers; see :func:`finser.classifiers.learning.learn`."""
        self.net.normalise_on(np.stack(train.inputs).astype(np.float64))
        schedule = learning.Schedule(
            [{"params": list(self.net.parameters()), "lr": options.learning_rate}], options.epochs, options.weight_decay
        )
        return learning.learn(
            self.net,
            learning.Batches(train.inputs, train.targets, stack, options.batch_size, names),
            learning.Batches(validation.inputs, validation.targets, stack, options.batch_size),
            schedule,
            names,
        )

    def probabilities(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Softmax of the logits, shape (n, 8)."""
        return learning.predict(self.net, inputs, stack)

    def save(self, folder: Path) -> None:
        """Weights, biases and normalisation as model.safetensors."""
        save_file(self.net.state_dict(), folder / "model.safetensors")


def stack(inputs: list[np.ndarray], _: np.random.Generator | None) -> tuple[torch.Tensor]:
    """One tensor of shape (batch, n_inputs)."""
    return (torch.from_numpy(np.stack(inputs)),)
