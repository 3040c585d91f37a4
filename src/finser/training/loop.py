"""The training loop of all networks: classifiers, pretraining, FINs and their front end."""

import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from finser.errors import FinserError
from finser.progress import say, track
from finser.training.checkpoint import Checkpoint, State, key_of, moments, put_moments
from finser.training.device import deterministic, start_torch
from finser.training.optimisers import Optimisation
from finser.training.record import TrainingRecord


class Task:
    """A network, its mini-batches, its loss and its validation; :func:`fit` trains it.

    An epoch is the training between two validations. The random draws of an epoch depend on its number and on names, never on earlier
    draws, so that a run can resume at any epoch.

    Attributes
    ----------
    name : str
        Name in messages.
    net : nn.Module
        Network, trained in place on :attr:`device`.
    epochs : int
        Maximum number of epochs.
    patience : int
        Number of epochs without a better score after which training stops early; 0 disables early stopping.
    keep : {'last', 'best'}
        Whether the network ends with the weights of the last epoch or of the best one.
    gradient_norm : float
        Maximum norm of the gradients; larger gradients are clipped.
    precision : {'fp32', 'bf16'}
        Precision of forward passes, in training and in the validation after each epoch. With ``bf16`` (autocast), weights and loss stay in
        float32. The scores of the final weights are computed in float32.
    seconds_before : float
        Duration of the preparation before the first epoch, for the record.
    """

    patience = 0
    keep = "last"
    gradient_norm = math.inf
    precision = "fp32"
    seconds_before = 0.0

    def __init__(self, name: str, net: nn.Module, epochs: int) -> None:
        self.device = start_torch()
        self.name, self.net, self.epochs = name, net.to(self.device), epochs

    def about(self) -> Iterator[object]:
        """Yield the settings and data that determine the training, apart from the network, for the checkpoint's key."""
        raise NotImplementedError

    def optimisation(self) -> Optimisation:
        """Return a new optimiser of the network's weights, and its learning-rate schedule."""
        raise NotImplementedError

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        """Return the mini-batches of an epoch; epochs count from 1."""
        raise NotImplementedError

    def examples(self, batch: list[Tensor]) -> tuple[tuple[Tensor, ...], Any]:
        """Return inputs and target of a mini-batch, on the device."""
        raise NotImplementedError

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the output that the loss compares with the target."""
        return self.net(*inputs)

    def loss(self, output: Tensor, target: Any) -> Tensor:
        """Return the loss of a mini-batch, a scalar."""
        raise NotImplementedError

    def before(self) -> list[dict]:
        """Return the records of the history that precede the first epoch."""
        return []

    def validate(self, epoch: int, train_loss: float) -> dict:
        """Validate the network, and return the record of an epoch; `train_loss` is the mean over its examples."""
        raise NotImplementedError

    def score(self, record: dict) -> float:
        """Return the validation score of a record; larger is better."""
        raise NotImplementedError

    def is_good_enough(self, record: dict) -> bool:
        """Return whether training may stop after this record."""
        return False


def fit(task: Task, checkpoint: Path | None = None) -> TrainingRecord:
    """Train ``task.net`` in place.

    Parameters
    ----------
    task : Task
        The net, its data and its loss.
    checkpoint : Path, optional
        Checkpoint file, from which a killed run resumes. The caller removes it.

    Raises
    ------
    FinserError
        Every validation score is NaN or infinite.
    """
    kept = Checkpoint(checkpoint, key_of(task.net, task.about()) if checkpoint else "")
    optimizer, schedule = task.optimisation()
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    history, best, done, seconds = _resume(task, kept.read(), optimizer, schedule)
    n_before = len(history) - done
    with deterministic():
        for epoch in track(range(done + 1, task.epochs + 1), f"train {task.name}"):
            if _is_over(task, history):
                break
            started, losses = time.perf_counter(), []
            for batch in task.batches(epoch):
                with autocast(task):
                    inputs, target = task.examples([tensor.to(task.device) for tensor in batch])
                    output = task.forward(*inputs)
                loss = task.loss(output.float(), target)
                optimizer.zero_grad()
                loss.backward()
                if task.gradient_norm < math.inf:
                    nn.utils.clip_grad_norm_(weights, task.gradient_norm)
                optimizer.step()
                schedule.step()
                losses.append((loss.detach(), len(inputs[0])))
            history.append(_validated(task, epoch, losses))
            if task.keep == "best" and _since_best(task, history) == 0:
                best = _copied(task.net)
            seconds += time.perf_counter() - started
            kept.save(State(_tensors(task.net, best, optimizer), history, epoch, seconds, schedule.state_dict()))
    if task.keep == "best":
        task.net.load_state_dict(best)
    task.net.eval()
    _check(task, history[n_before:])
    return TrainingRecord(history, seconds, task.seconds_before)


def autocast(task: Task) -> torch.autocast:
    """Return the context of a task's forward passes, in its precision."""
    return torch.autocast(task.device, torch.bfloat16, enabled=task.precision == "bf16")


def _resume(task: Task, state: State, optimizer: torch.optim.Optimizer, schedule: Any) -> tuple[list[dict], dict, int, float]:
    """Restore a saved state, or initialise a new one; return history, best weights, number of completed epochs, and their seconds."""
    task.net.train()
    if not state.epoch:
        return task.before(), _copied(task.net) if task.keep == "best" else {}, 0, 0.0
    best = {name: state.tensors.get(f"best.{name}") for name in task.net.state_dict()} if task.keep == "best" else {}
    task.net.load_state_dict({name: state.tensors[f"net.{name}"] for name in task.net.state_dict()})
    put_moments(optimizer, state.tensors)
    schedule.load_state_dict(state.schedule)
    for group, rate in zip(optimizer.param_groups, schedule.get_last_lr(), strict=True):
        group["lr"] = rate
    return state.history, best, state.epoch, state.seconds


@torch.no_grad()
def _validated(task: Task, epoch: int, losses: list[tuple[Tensor, int]]) -> dict:
    """Validate after an epoch, log its record and return it."""
    values = torch.stack([loss for loss, _ in losses]).tolist()  # once per epoch, because each transfer waits for the GPU
    mean = sum(value * n for value, (_, n) in zip(values, losses, strict=True)) / sum(n for _, n in losses)
    task.net.eval()
    with autocast(task):
        record = task.validate(epoch, mean)
    task.net.train()
    if not sys.stderr.isatty():
        say(", ".join(f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}" for name, value in record.items()))
    return record


def _scores(task: Task, history: list[dict]) -> list[float]:
    """Return the scores of all records; NaN and infinity become -inf."""
    values = [task.score(record) for record in history]
    return [value if math.isfinite(value) else -math.inf for value in values]


def _since_best(task: Task, history: list[dict]) -> int:
    """Return the number of epochs since the best score; of equal scores the first counts."""
    scores = _scores(task, history)
    return len(scores) - 1 - scores.index(max(scores))


def _is_over(task: Task, history: list[dict]) -> bool:
    """Return whether training stops early: the last record is good enough, or `patience` epochs have not improved the score."""
    if not history:
        return False
    impatient = task.patience and _since_best(task, history) >= task.patience
    return bool(impatient) or task.is_good_enough(history[-1])


def _check(task: Task, records: list[dict]) -> None:
    """Raise an error if every validation score is NaN or infinite."""
    if max(_scores(task, records), default=0.0) == -math.inf:
        raise FinserError(f"training of {task.name} diverged: no validation score was finite", do="lower its learning_rate in params.yaml")


def _copied(net: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}


def _tensors(net: nn.Module, best: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return all tensors of a state by name."""
    own = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
    return {**own, **{f"best.{name}": tensor for name, tensor in best.items()}, **moments(optimizer)}
