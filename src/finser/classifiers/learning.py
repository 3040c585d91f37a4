"""What the torch models share: mini-batches, the training loop's settings, prediction."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from finser import seeds
from finser.workers import cores

Collate = Callable[[list[np.ndarray], np.random.Generator | None], tuple[torch.Tensor, ...]]


@dataclass
class Batches:
    """Mini-batches of (inputs ..., targets), an epoch per iteration.

    Attributes
    ----------
    inputs : list of np.ndarray
        One per example.
    targets : np.ndarray
        int64, shape (n,).
    collate : callable
        Makes the tensors of a batch, drawing crops from the generator; without one, nothing is drawn.
    names : tuple, optional
        Of what the draws are for: epoch e shuffles and crops by ``generator(*names, e)``. Without names the order is kept.
    """

    inputs: list[np.ndarray]
    targets: np.ndarray
    collate: Collate
    size: int
    names: tuple | None = None
    epoch: int = 0

    def __len__(self) -> int:
        return -(-len(self.inputs) // self.size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        rng = None
        order = np.arange(len(self.inputs))
        if self.names is not None:
            self.epoch += 1
            rng = seeds.generator(*self.names, self.epoch)
            order = rng.permutation(order)
        for first in range(0, len(order), self.size):
            chosen = order[first : first + self.size]
            yield (*self.collate([self.inputs[i] for i in chosen], rng), torch.from_numpy(self.targets[chosen]))


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network learns; the fields as in params.yaml.

    Attributes
    ----------
    groups : list of dict
        Parameter groups ``{"params": ..., "lr": ...}``, each with the peak of its learning rate.
    """

    groups: list[dict]
    epochs: int
    weight_decay: float


def device() -> str:
    """``cuda`` where there is a GPU, else ``cpu`` with the threads of this job."""
    torch.set_num_threads(cores())
    return "cuda" if torch.cuda.is_available() else "cpu"


def learn(net: nn.Module, train: Batches, validation: Batches, schedule: Schedule, names: tuple) -> list[dict]:
    """Train `net` in place; the weights of the last epoch stay.

    The rate decays to zero over `epochs`, so that the last epoch is a good one, and the best epoch on a validation part of two
    or three speakers would be a matter of luck.

    Parameters
    ----------
    net : nn.Module
        Logits, shape (batch, 8), of the inputs of a batch.
    names : tuple
        What dropout's draws are for.

    Returns
    -------
    list of dict
        Per epoch: epoch, train_loss, validation_loss, validation_uar, validation_wa.
    """
    from finser.classifiers.loop import fit  # lightning takes seconds to import

    device()
    torch.manual_seed(seeds.seed_for(*names, "dropout"))
    history = fit(net, train, validation, schedule)
    net.eval().cpu()
    return history


@torch.no_grad()
def predict(net: nn.Module, inputs: list[np.ndarray], collate: Collate, size: int = 64) -> np.ndarray:
    """Probabilities, float64, shape (n, classes); clips of like length share a batch."""
    where = device()
    net = net.eval().to(where)
    order = np.argsort([len(array) for array in inputs], kind="stable")
    result: np.ndarray | None = None
    for first in range(0, len(order), size):
        chosen = order[first : first + size]
        batch = (tensor.to(where) for tensor in collate([inputs[i] for i in chosen], None))
        logits = net(*batch).double()  # (batch, classes)
        result = np.zeros((len(inputs), logits.shape[1])) if result is None else result
        result[chosen] = logits.softmax(1).cpu().numpy()
    net.cpu()
    return result


def n_trainable(parameters: Iterator[nn.Parameter]) -> int:
    """How many numbers; shared weights count once."""
    return sum(parameter.numel() for parameter in {id(p): p for p in parameters}.values())
