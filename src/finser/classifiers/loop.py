"""The training loop, by lightning. Importing this module imports lightning, which takes seconds."""

import logging
import sys
import tempfile
import warnings

import lightning.pytorch as pl
import torch
from torch import nn
from torch.nn import functional

from finser.classifiers.learning import Batches, Schedule
from finser.emotions import EMOTIONS
from finser.metrics import confusion_matrix, uar, wa
from finser.progress import say

LABEL_SMOOTHING = 0.1
WARM_UP = 0.15  # share of the steps in which the rate rises
GRADIENT_NORM = 2.0


class Task(pl.LightningModule):
    """Cross entropy, AdamW, a rate that rises and decays to zero; `history` gets a record per epoch."""

    def __init__(self, net: nn.Module, schedule: Schedule, steps: int) -> None:
        super().__init__()
        self.net, self.schedule, self.steps = net, schedule, steps
        self.history: list[dict] = []
        self.losses: list[tuple[float, int]] = []
        self.seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def training_step(self, batch: tuple[torch.Tensor, ...], _: int) -> torch.Tensor:
        """Loss of one batch."""
        *inputs, targets = batch
        loss = functional.cross_entropy(self.net(*inputs), targets, label_smoothing=LABEL_SMOOTHING)
        self.losses.append((float(loss.detach()), len(targets)))
        return loss

    def validation_step(self, batch: tuple[torch.Tensor, ...], _: int) -> None:
        """Keep the logits of one batch."""
        *inputs, targets = batch
        self.seen.append((self.net(*inputs).cpu(), targets.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Figures of the whole validation part; lightning calls this before the training epoch ends."""
        logits, targets = (torch.cat(parts) for parts in zip(*self.seen, strict=True))
        confusion = confusion_matrix(targets.numpy(), logits.argmax(1).numpy(), len(EMOTIONS))
        record = {
            "epoch": self.current_epoch + 1,
            "train_loss": sum(loss * n for loss, n in self.losses) / sum(n for _, n in self.losses),
            "validation_loss": float(functional.cross_entropy(logits, targets)),
            "validation_uar": float(uar(confusion)),
            "validation_wa": float(wa(confusion)),
        }
        self.history.append(record)
        self.log("validation_uar", record["validation_uar"])
        self.losses, self.seen = [], []
        if not sys.stderr.isatty():
            say(", ".join(f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}" for name, value in record.items()))

    def configure_optimizers(self) -> dict:
        """AdamW under a one-cycle rate, stepped with every batch."""
        optimizer = torch.optim.AdamW(self.schedule.groups, weight_decay=self.schedule.weight_decay)
        peaks = [group["lr"] for group in self.schedule.groups]
        # momentum stays as it is; fewer than 7 steps have no warm-up to speak of
        rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, peaks, total_steps=self.steps, pct_start=WARM_UP, cycle_momentum=False)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}


def fit(net: nn.Module, train: Batches, validation: Batches, schedule: Schedule) -> list[dict]:
    """Train `net` in place and return a record per epoch."""
    task = Task(net, schedule, steps=schedule.epochs * len(train))
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # greetings and advice
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")  # advice on workers and loggers that does not apply
        trainer = pl.Trainer(
            max_epochs=schedule.epochs,
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
    return task.history
