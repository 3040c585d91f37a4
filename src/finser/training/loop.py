"""The training loop, by lightning. Importing this module imports lightning, which takes seconds."""

import logging
import sys
import tempfile
import time
import warnings
from pathlib import Path

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn import functional

from finser import seeds
from finser.config.schema import Network, Pretrain
from finser.emotions import EMOTIONS
from finser.models import Learned
from finser.progress import say
from finser.scores.metrics import confusion_matrix, uar, wa
from finser.training.checkpoint import Checkpoint, State, key_of, moments, put_moments
from finser.training.learning import Batches, class_weights

WARM_UP = 0.15  # share of the steps in which the rate rises
GRADIENT_NORM = 2.0
MIXUP = 0.3  # both parameters of the beta law


class Training(pl.LightningModule):
    """AdamW under a rate that rises and decays to zero; `history` gets a record per epoch, and a killed training goes on after its last.

    Parameters
    ----------
    net : nn.Module
        Trained in place.
    train : Batches
        Its names are those of every other draw, too.
    settings : Network or Pretrain
        With ``epochs`` and ``weight_decay``.
    groups : list of dict
        Parameter groups ``{"params": ..., "lr": ...}``, each with the peak of its learning rate.
    checkpoint : Checkpoint
        Where the state is kept, and taken up again.
    """

    def __init__(self, net: nn.Module, train: Batches, settings: Network | Pretrain, groups: list[dict], checkpoint: Checkpoint) -> None:
        super().__init__()
        self.net, self.settings, self.groups, self.checkpoint = net, settings, groups, checkpoint
        self.names, self.steps_per_epoch = train.names, len(train)
        self.losses: list[tuple[float, int]] = []
        self.seen: list[tuple[Tensor, Tensor]] = []
        self.state = checkpoint.read()
        self.history, self.seconds = self.state.history, self.state.seconds
        if self.history:
            net.load_state_dict({name: self.state.tensors[f"net.{name}"] for name in net.state_dict()})

    @property
    def is_over(self) -> bool:
        """Whether no epoch is left."""
        return len(self.history) >= self.settings.epochs

    def on_train_epoch_start(self) -> None:
        """Draws of an epoch depend on nothing that was drawn before, so that a killed training can go on."""
        self.started = time.perf_counter()
        torch.manual_seed(seeds.seed_for(*self.names, "dropout", len(self.history) + 1))

    def on_validation_epoch_end(self) -> None:
        """Add the epoch's record to the history; lightning calls this before the training epoch ends."""
        record = {"epoch": len(self.history) + 1, **self.figures()}
        self.history.append(record)
        self.losses, self.seen = [], []
        if not sys.stderr.isatty():
            say(", ".join(f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}" for name, value in record.items()))

    def figures(self) -> dict[str, float]:
        """What the record of an epoch says, of `losses` and of `seen`."""
        raise NotImplementedError

    def on_train_epoch_end(self) -> None:
        """Keep where the training stands."""
        self.seconds += time.perf_counter() - self.started
        rate = self.lr_schedulers().state_dict()
        self.checkpoint.save(State({**self.tensors(), **moments(self.trainer.optimizers[0])}, self.history, self.seconds, rate))

    def tensors(self) -> dict[str, Tensor]:
        """What the training has made so far, beside the optimiser's moments."""
        return {f"net.{name}": tensor for name, tensor in self.net.state_dict().items()}

    def configure_optimizers(self) -> dict:
        """AdamW under a one-cycle rate, stepped with every batch; both as they were if the training goes on."""
        optimizer = torch.optim.AdamW(self.groups, weight_decay=self.settings.weight_decay)
        peaks, steps = [group["lr"] for group in self.groups], self.settings.epochs * self.steps_per_epoch
        # momentum stays as it is; fewer than 7 steps have no warm-up to speak of
        rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, peaks, total_steps=steps, pct_start=WARM_UP, cycle_momentum=False)
        if self.history:
            put_moments(optimizer, self.state.tensors)
            rate.load_state_dict(self.state.schedule)
            for group, value in zip(optimizer.param_groups, rate.get_last_lr(), strict=True):
                group["lr"] = value
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}


class Task(Training):
    """Cross entropy; the weights of the last epoch, or of the best."""

    def __init__(self, net: nn.Module, train: Batches, options: Network, groups: list[dict], checkpoint: Checkpoint) -> None:
        super().__init__(net, train, options, groups, checkpoint)
        self.options = options
        self.register_buffer("weights", class_weights(train.targets, options.balance), persistent=False)
        kept = self.state.tensors if self.history else {f"best.{name}": tensor.clone() for name, tensor in net.state_dict().items()}
        self.best = {name: kept[f"best.{name}"] for name in net.state_dict()}

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or validation has not got better for ``options.patience`` of them."""
        impatient = bool(self.history and self.options.patience) and _since_best(self.history) >= self.options.patience
        return super().is_over or impatient

    def on_train_epoch_start(self) -> None:
        """Mixup's draws, too."""
        super().on_train_epoch_start()
        self.rng = seeds.generator(*self.names, "mixup", len(self.history) + 1)

    def training_step(self, batch: tuple[Tensor, ...], _: int) -> Tensor:
        """Loss of one batch."""
        *inputs, targets = batch
        net = self.net
        if hasattr(net, "embed"):  # what learns below is not mixed: features are
            inputs, net = list(net.embed(*inputs)), net.head
        wanted = functional.one_hot(targets, len(EMOTIONS)).float()  # (batch, 8)
        if self.rng.random() < self.options.mixup:
            inputs, wanted = self._mix(inputs, wanted)
        loss = functional.cross_entropy(net(*inputs), wanted, self.weights, label_smoothing=self.options.label_smoothing)
        self.losses.append((float(loss.detach()), len(targets)))
        return loss

    def _mix(self, inputs: list[Tensor], wanted: Tensor) -> tuple[list[Tensor], Tensor]:
        """Mixup (Zhang et al. 2018): each example with another of its batch; of two lengths the longer counts."""
        share = float(self.rng.beta(MIXUP, MIXUP))
        other = torch.from_numpy(self.rng.permutation(len(wanted))).to(wanted.device)
        mixed = [
            share * tensor + (1 - share) * tensor[other] if tensor.is_floating_point() else torch.maximum(tensor, tensor[other])
            for tensor in inputs
        ]
        return mixed, share * wanted + (1 - share) * wanted[other]

    def validation_step(self, batch: tuple[Tensor, ...], _: int) -> None:
        """Keep the logits of one batch."""
        *inputs, targets = batch
        self.seen.append((self.net(*inputs).cpu(), targets.cpu()))

    def figures(self) -> dict[str, float]:
        """Of the whole validation part."""
        logits, targets = (torch.cat(parts) for parts in zip(*self.seen, strict=True))
        confusion = confusion_matrix(targets.numpy(), logits.argmax(1).numpy(), len(EMOTIONS))
        return {
            "train_loss": sum(loss * n for loss, n in self.losses) / sum(n for _, n in self.losses),
            "validation_loss": float(functional.cross_entropy(logits, targets)),
            "validation_uar": float(uar(confusion)),
            "validation_wa": float(wa(confusion)),
        }

    def on_train_epoch_end(self) -> None:
        """Keep the best weights, and where the training stands; end early if it has not got better for long."""
        if self.options.keep == "best" and not _since_best(self.history):
            self.best = {name: tensor.detach().clone() for name, tensor in self.net.state_dict().items()}
        if self.is_over:
            self.trainer.should_stop = True
        super().on_train_epoch_end()

    def tensors(self) -> dict[str, Tensor]:
        """The best weights, too."""
        return {**super().tensors(), **{f"best.{name}": tensor for name, tensor in self.best.items()}}


class Imitation(Training):
    """Mean squared error of z-scored features over the steps that count."""

    def training_step(self, batch: tuple[Tensor, ...], _: int) -> Tensor:
        """Loss of one batch over the steps that count."""
        inputs, wanted, counts, _ = batch
        loss = functional.mse_loss(self.net(inputs)[counts], wanted[counts])
        self.losses.append((float(loss.detach()), 1))
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], _: int) -> None:
        """Keep outputs and targets of one batch."""
        inputs, wanted, counts, _ = batch
        self.seen.append((self.net(inputs)[counts].cpu(), wanted[counts].cpu()))

    def figures(self) -> dict[str, float]:
        """Mean loss of the batches, and explained variance: 1 - squared error over variance, all features together."""
        found, wanted = (torch.cat(parts) for parts in zip(*self.seen, strict=True))  # (steps, 162) each
        r2 = 1 - float((found - wanted).square().mean() / (wanted - wanted.mean(0)).square().mean())
        return {"train_loss": sum(loss for loss, _ in self.losses) / len(self.losses), "validation_r2": r2}


def imitate(
    net: nn.Module, train: Batches, validation: Batches, settings: Pretrain, options: Network, checkpoint: Path | None = None
) -> Learned:
    """Teach `net`, whose trunk `options` describe, in place; see :func:`finser.classifiers.pretrain.teach`."""
    key = key_of(net, train.names, (settings, options), [train.inputs, validation.inputs], [])
    groups = [{"params": list(net.parameters()), "lr": settings.learning_rate}]
    return _run(Imitation(net, train, settings, groups, Checkpoint(checkpoint, key)), train, validation)


def fit(
    net: nn.Module, train: Batches, validation: Batches, options: Network, groups: list[dict], checkpoint: Path | None = None
) -> Learned:
    """Train `net` in place; see :func:`finser.training.learning.learn`."""
    key = key_of(net, train.names, options, [train.inputs, validation.inputs], [train.targets, validation.targets])
    task = Task(net, train, options, groups, Checkpoint(checkpoint, key))
    learned = _run(task, train, validation)
    if options.keep == "best":
        net.load_state_dict(task.best)
    return learned


def _since_best(history: list[dict]) -> int:
    """Epochs since the best validation UAR."""
    scores = [record["validation_uar"] for record in history]
    return len(scores) - 1 - scores.index(max(scores))


def _run(task: Training, train: Batches, validation: Batches) -> Learned:
    """All epochs that are left."""
    train.epoch = len(task.history)
    if not task.is_over:
        _train(task, train, validation, task.settings.epochs - len(task.history))
    return Learned(task.history, task.seconds)


def _train(task: Training, train: Batches, validation: Batches, epochs: int) -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # greetings and advice
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")  # advice on workers and loggers that does not apply
        trainer = pl.Trainer(
            max_epochs=epochs,
            accelerator="gpu" if torch.cuda.is_available() else "cpu",
            devices=1,
            deterministic=True,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=sys.stderr.isatty(),
            num_sanity_val_steps=0,
            gradient_clip_val=GRADIENT_NORM,
            default_root_dir=scratch,
        )
        try:
            trainer.fit(task, train, validation)
        finally:
            torch.use_deterministic_algorithms(False)  # lightning's setting is for the whole process
