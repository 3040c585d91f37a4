"""The training loop, by lightning. Importing this module imports lightning, which takes seconds."""

import logging
import sys
import tempfile
import warnings
from pathlib import Path

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn import functional

from finser import seeds
from finser.classifiers.checkpoint import Checkpoint, key_of, moments, put_moments
from finser.classifiers.learning import Batches, class_weights
from finser.emotions import EMOTIONS
from finser.metrics import confusion_matrix, uar, wa
from finser.params import Network, Pretrain
from finser.progress import say

WARM_UP = 0.15  # share of the steps in which the rate rises
GRADIENT_NORM = 2.0
MIXUP = 0.3  # both parameters of the beta law


class Task(pl.LightningModule):
    """Cross entropy, AdamW, a rate that rises and decays to zero; `history` gets a record per epoch."""

    def __init__(self, net: nn.Module, train: Batches, options: Network, groups: list[dict], checkpoint: Checkpoint) -> None:
        super().__init__()
        self.net, self.options, self.groups, self.checkpoint = net, options, groups, checkpoint
        self.names, self.steps_per_epoch = train.names, len(train)
        self.register_buffer("weights", class_weights(train.targets, options.balance), persistent=False)
        self.losses: list[tuple[float, int]] = []
        self.seen: list[tuple[Tensor, Tensor]] = []
        self.tensors, self.history = checkpoint.read() or ({}, [])
        self.best = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        if self.history:
            net.load_state_dict({name: self.tensors[f"net.{name}"] for name in self.best})
            self.best = {name: self.tensors[f"best.{name}"] for name in self.best}

    def on_train_epoch_start(self) -> None:
        """Draws of an epoch depend on nothing that was drawn before, so that a killed training can go on."""
        torch.manual_seed(seeds.seed_for(*self.names, "dropout", len(self.history) + 1))
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

    def on_validation_epoch_end(self) -> None:
        """Figures of the whole validation part; lightning calls this before the training epoch ends."""
        logits, targets = (torch.cat(parts) for parts in zip(*self.seen, strict=True))
        confusion = confusion_matrix(targets.numpy(), logits.argmax(1).numpy(), len(EMOTIONS))
        record = {
            "epoch": len(self.history) + 1,
            "train_loss": sum(loss * n for loss, n in self.losses) / sum(n for _, n in self.losses),
            "validation_loss": float(functional.cross_entropy(logits, targets)),
            "validation_uar": float(uar(confusion)),
            "validation_wa": float(wa(confusion)),
        }
        self.history.append(record)
        self.losses, self.seen = [], []
        if not sys.stderr.isatty():
            say(", ".join(f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}" for name, value in record.items()))

    def on_train_epoch_end(self) -> None:
        """Keep the best weights and where the training stands; end early if it has not got better for long."""
        if self.options.keep == "best" and not _since_best(self.history):
            self.best = {name: tensor.detach().clone() for name, tensor in self.net.state_dict().items()}
        if _is_over(self.history, self.options):
            self.trainer.should_stop = True
        weights = {f"net.{name}": tensor for name, tensor in self.net.state_dict().items()}
        kept = {f"best.{name}": tensor for name, tensor in self.best.items()}
        self.checkpoint.save({**weights, **kept, **moments(self.trainer.optimizers[0])}, self.history)

    def configure_optimizers(self) -> dict:
        """AdamW under a one-cycle rate, stepped with every batch; both as they were if the training goes on."""
        optimizer = torch.optim.AdamW(self.groups, weight_decay=self.options.weight_decay)
        peaks, steps = [group["lr"] for group in self.groups], self.options.epochs * self.steps_per_epoch
        # momentum stays as it is; fewer than 7 steps have no warm-up to speak of
        rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, peaks, total_steps=steps, pct_start=WARM_UP, cycle_momentum=False)
        if self.history:
            put_moments(optimizer, self.tensors)
            rate.last_epoch = len(self.history) * self.steps_per_epoch
            for group, value in zip(optimizer.param_groups, rate.get_lr(), strict=True):
                group["lr"] = value
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}


class Imitation(pl.LightningModule):
    """Mean squared error of z-scored features, AdamW, a rate that rises and decays to zero."""

    def __init__(self, net: nn.Module, train: Batches, settings: Pretrain) -> None:
        super().__init__()
        self.net, self.settings, self.names, self.steps = net, settings, train.names, settings.epochs * len(train)
        self.history: list[dict] = []
        self.losses: list[float] = []
        self.seen: list[tuple[Tensor, Tensor]] = []

    def on_train_epoch_start(self) -> None:
        """Dropout's draws."""
        torch.manual_seed(seeds.seed_for(*self.names, "dropout", len(self.history) + 1))

    def training_step(self, batch: tuple[Tensor, ...], _: int) -> Tensor:
        """Loss of one batch over the steps that count."""
        inputs, wanted, counts, _ = batch
        loss = functional.mse_loss(self.net(inputs)[counts], wanted[counts])
        self.losses.append(float(loss.detach()))
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], _: int) -> None:
        """Keep outputs and targets of one batch."""
        inputs, wanted, counts, _ = batch
        self.seen.append((self.net(inputs)[counts].cpu(), wanted[counts].cpu()))

    def on_validation_epoch_end(self) -> None:
        """Explained variance: 1 - squared error over variance, all features together."""
        found, wanted = (torch.cat(parts) for parts in zip(*self.seen, strict=True))  # (steps, 162) each
        r2 = 1 - float((found - wanted).square().mean() / (wanted - wanted.mean(0)).square().mean())
        record = {"epoch": len(self.history) + 1, "train_loss": sum(self.losses) / len(self.losses), "validation_r2": r2}
        self.history.append(record)
        self.losses, self.seen = [], []
        say(f"epoch {record['epoch']}, train_loss {record['train_loss']:.4f}, validation_r2 {r2:.4f}")

    def configure_optimizers(self) -> dict:
        """AdamW under a one-cycle rate, stepped with every batch."""
        optimizer = torch.optim.AdamW(self.net.parameters(), weight_decay=self.settings.weight_decay)
        rate = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.settings.learning_rate, total_steps=self.steps, pct_start=WARM_UP, cycle_momentum=False
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}


def imitate(net: nn.Module, train: Batches, validation: Batches, settings: Pretrain) -> list[dict]:
    """Teach `net` in place and return a record per epoch; see :func:`finser.classifiers.pretraining.teach`."""
    task = Imitation(net, train, settings)
    _train(task, train, validation, settings.epochs)
    return task.history


def fit(
    net: nn.Module, train: Batches, validation: Batches, options: Network, groups: list[dict], checkpoint: Path | None = None
) -> list[dict]:
    """Train `net` in place and return a record per epoch; see :func:`finser.classifiers.learning.learn`."""
    key = key_of(net, train.names, options, [train.inputs, validation.inputs], [train.targets, validation.targets])
    task = Task(net, train, options, groups, Checkpoint(checkpoint, key))
    train.epoch = len(task.history)
    if not _is_over(task.history, options):
        _train(task, train, validation, options.epochs - len(task.history))
    if options.keep == "best":
        net.load_state_dict(task.best)
    return task.history


def _since_best(history: list[dict]) -> int:
    """Epochs since the best validation UAR."""
    scores = [record["validation_uar"] for record in history]
    return len(scores) - 1 - scores.index(max(scores))


def _is_over(history: list[dict], options: Network) -> bool:
    """Whether all epochs are done, or validation has not got better for ``options.patience`` of them."""
    return bool(history) and (len(history) >= options.epochs or bool(options.patience) and _since_best(history) >= options.patience)


def _train(task: pl.LightningModule, train: Batches, validation: Batches, epochs: int) -> None:
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
