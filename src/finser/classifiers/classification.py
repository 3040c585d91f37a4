"""Supervised training of a network as a classifier: cross entropy with label smoothing, class weights and mixup."""

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from finser import seeds
from finser.config.sections.classifiers import Network
from finser.errors import FinserError
from finser.features.examples import Examples, check_training_part
from finser.models.network import NetworkClassifier
from finser.scores.metrics import confusion_matrix, uar, wa
from finser.training.batches import Batches
from finser.training.loop import Task
from finser.training.optimisers import Optimisation, adamw_one_cycle

GRADIENT_NORM = 2.0
MIXUP = 0.3  # both parameters of the beta distribution


class Classification(Task):
    """Supervised training of a network on the emotions of the training part.

    The learning rate falls to zero over the epochs, so the last epoch's weights are good. The validation part has only two or three
    speakers, so the best epoch is largely a matter of chance. ``options.keep`` is therefore `last` by default.

    Parameters
    ----------
    classifier : NetworkClassifier
        Classifier with its initial weights. Its normalisation is computed from `train`.
    train, validation : Examples
        Parts of a split. An empty validation part leaves nothing to validate on: the history has the training loss alone.
    names : tuple
        Seed names of every random draw.
    """

    gradient_norm = GRADIENT_NORM

    def __init__(self, classifier: NetworkClassifier, train: Examples, validation: Examples, names: tuple) -> None:
        check_training_part(train)
        self.classifier, self.options, self.names = classifier, classifier.options, names
        check_patience(self.options)
        started = time.perf_counter()
        inputs, judged = classifier.prepare(train.inputs, validation.inputs)
        self.seconds_before = time.perf_counter() - started
        size, balanced = self.options.batch_size, self.options.balance == "sampling"
        self.train = Batches(inputs, train.targets, classifier.collate(training=True), size, names, balanced)
        self.validation = Batches(judged, validation.targets, classifier.collate(training=False), size)
        super().__init__(" ".join(map(str, names)), classifier.net, self.options.epochs)
        self.patience, self.keep, self.precision = self.options.patience, self.options.keep, self.options.precision
        self.n_classes = len(train.classes)
        self.weights = class_weights(train.targets, self.n_classes, self.options.balance).to(self.device)
        self.embeds = hasattr(self.net, "embed")  # then mixup applies to the head's inputs, not to the samples

    def about(self) -> Iterator[object]:
        """Yield names, options and both parts."""
        yield from (self.names, self.options)
        yield from self.train.data()
        yield from self.validation.data()

    def optimisation(self) -> Optimisation:
        """AdamW with a one-cycle learning rate."""
        return adamw_one_cycle(self.classifier.groups(), self.options.weight_decay, self.epochs * len(self.train))

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        """Return the mini-batches of inputs and class numbers; seed dropout and mixup for this epoch."""
        torch.manual_seed(seeds.seed_for(*self.names, "dropout", epoch))
        self.rng = seeds.generator(*self.names, "mixup", epoch)
        return self.train.of_epoch(epoch)

    def examples(self, batch: list[Tensor]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return inputs and soft targets (batch, classes). A fraction ``options.mixup`` of the batches is mixed."""
        *inputs, classes = batch
        if self.embeds:
            inputs = list(self.net.embed(*inputs))
        target = functional.one_hot(classes, self.n_classes).float()
        if self.rng.random() < self.options.mixup:
            inputs, target = mixed(inputs, target, self.rng)
        return tuple(inputs), target

    def forward(self, *inputs: Tensor) -> Tensor:
        """Logits, (batch, classes)."""
        return self.net.head(*inputs) if self.embeds else self.net(*inputs)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross entropy."""
        return functional.cross_entropy(output, target, self.weights, label_smoothing=self.options.label_smoothing)

    def validate(self, epoch: int, train_loss: float) -> dict:
        """Loss, UAR and WA on the whole validation part."""
        if not self.validation.inputs:
            return {"epoch": epoch, "train_loss": train_loss}
        logits, targets = self._validation_logits()
        confusion = confusion_matrix(targets.numpy(), logits.argmax(1).numpy(), self.n_classes)
        return {
            "epoch": epoch,
            "train_loss": train_loss,
            "validation_loss": float(functional.cross_entropy(logits, targets)),
            "validation_uar": float(uar(confusion)),
            "validation_wa": float(wa(confusion)),
        }

    def score(self, record: dict) -> float:
        """The validation UAR; without validation, the training loss decides only whether training diverged."""
        return record.get("validation_uar", -record["train_loss"])

    def _validation_logits(self) -> tuple[Tensor, Tensor]:
        """Return logits (n, classes) and class numbers (n,), on the CPU."""
        logits, targets = [], []
        for *inputs, classes in self.validation.of_epoch():
            logits.append(self.net(*(tensor.to(self.device) for tensor in inputs)).float().cpu())
            targets.append(classes)
        return torch.cat(logits), torch.cat(targets)


def mixed(inputs: list[Tensor], target: Tensor, rng: np.random.Generator) -> tuple[list[Tensor], Tensor]:
    """Apply mixup (Zhang et al. 2018): mix each example with another of its batch. A mixed clip has the longer of the two lengths."""
    weight = float(rng.beta(MIXUP, MIXUP))
    other = torch.from_numpy(rng.permutation(len(target))).to(target.device)
    inputs = [
        weight * tensor + (1 - weight) * tensor[other] if tensor.is_floating_point() else torch.maximum(tensor, tensor[other])
        for tensor in inputs
    ]
    return inputs, weight * target + (1 - weight) * target[other]


def class_weights(targets: np.ndarray, n_classes: int, balance: str) -> Tensor:
    """Return the weight of each class in the loss, shape (n_classes,): ones, or inverse to its frequency with mean 1 over the examples.

    A class without examples has weight 0. Label smoothing gives every class a part of each target. With a large weight, that part would
    train the network to predict an emotion that no training clip has.
    """
    weights = np.ones(n_classes)
    if balance == "weights":
        counts = np.bincount(targets, minlength=n_classes)
        weights = (counts > 0) * len(targets) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return torch.from_numpy(weights).float()


def check_patience(options: Network) -> None:
    """Refuse early stopping that keeps the last weights.

    The one-cycle learning rate is high until the last epochs, so the weights at an early stop are noisy. Early stopping must keep the best
    epoch's weights.
    """
    if options.patience and options.keep == "last":
        what = f"patience {options.patience} ends a training while its learning rate is high, and keep: last would keep those weights"
        raise FinserError(what, where=f"params.yaml, a section with model: {options.model}", do="set keep: best, or patience: 0")
