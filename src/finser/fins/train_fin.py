"""Training of one FIN."""

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from finser import layout, machine
from finser.config.params import Params
from finser.config.sections.train_fin import FinSection
from finser.features import pool
from finser.files import write_json
from finser.fins.building import build
from finser.fins.frames.training_frames import TrainingFrames, training_frames
from finser.fins.nets.base import Fin, count
from finser.fins.scoring import ValidationScore, scores
from finser.fins.store import save_fin
from finser.progress import say
from finser.seeds import seed_for
from finser.training.device import start_torch
from finser.training.loop import Task, fit
from finser.training.optimisers import Optimisation, adam_hold_then_decay

CHECKS = 10  # validations in a training
DECADES = 3.0  # of the learning rate's decay
LIBRARIES = ("torch", "librosa", "safetensors")
SCALE_FRAMES = 8_192  # training frames for means and standard deviations


def train_fin(params: Params, feature: str) -> None:
    """Step: train the FIN of `feature` -> models/fins/FEATURE/."""
    pool.verify(pool.read("fins"), layout.pool("fins"))
    device, section = start_torch(), getattr(params.train_fin, feature)
    fin, inherited = build(feature, params.seed)
    frames = training_frames(params, feature, device)
    task = FinTask(fin, frames, section, params.seed)
    at_initialisation = scores(fin, frames.validation)
    checkpoint = layout.checkpoint("train_fin", feature)
    record = fit(task, checkpoint)
    config = {
        "feature": feature,
        "topology": "structured",
        "init": "random",
        "inherits": inherited,
        "definition": params.label.definition,
        "frame": "np.pad(y, 1024)[512 t : 512 t + 2048] of int16 / 32768 at 22050 Hz",
        "seed": params.seed,
        "options": params.settings_of_fin(feature),
        **count(fin),
        "r2_init_uniform": at_initialisation["uniform"],
        "r2_init_weighted": at_initialisation["weighted"],
        "r2_validation": best_record(record.history)["r2_validation"],
        "steps": record.history[-1]["step"],
        "best_step": best_record(record.history)["step"],
        "early_stopping": f"after {section.patience} checks without a better validation R2; the weights kept are the best check's",
        "n_train_frames": int(frames.train.counts.sum()),
        "n_train_speakers": len(frames.train.speakers),
        "speakers": sorted(frames.train.speakers | frames.validation.speakers),
        "n_validation_frames": len(frames.validation.frames),
        "n_validation_speakers": len(frames.validation.speakers),
        **machine.settings(LIBRARIES),
    }
    write_json(layout.training_time("train_fin", feature), {"seconds_train": round(record.seconds + record.seconds_before, 3)})
    save_fin(layout.fin(feature), fin, config, record.history)
    checkpoint.unlink(missing_ok=True)
    say(f"{feature}: validation R2 {config['r2_validation']:.5f}, {config['params_own']} own parameters")


class FinTask(Task):
    """Training of a FIN on librosa's feature of frames; the network ends with the weights of its best validation.

    An epoch is a tenth of the steps.

    Parameters
    ----------
    fin : Fin
        FIN with its initial weights. Its constants (means, standard deviations) are set here.
    frames : TrainingFrames
        Training and validation frames.
    section : FinSection
        Steps, batch size, learning rate, patience.
    seed : int
        Seed of the draws of frames and of their augmentation.
    closed_form : bool
        Use librosa's formula as initial weights.
    """

    keep = "best"

    def __init__(self, fin: Fin, frames: TrainingFrames, section: FinSection, seed: int, *, closed_form: bool = False) -> None:
        started = time.perf_counter()
        self.every = max(1, section.steps // CHECKS)  # steps per epoch, except the last
        super().__init__(fin.feature, fin, -(-section.steps // self.every))
        self.frames, self.section, self.seed, self.patience = frames, section, seed, section.patience
        if type(fin).set_scales is not Fin.set_scales:
            fin.set_scales(*frames.batch(SCALE_FRAMES, self._generator("scales")))
        if closed_form:
            fin.closed_form()
        self.selection = ValidationScore(fin.feature, frames.validation)
        self.seconds_before = time.perf_counter() - started

    def about(self) -> Iterator[object]:
        """Yield section, seed and a digest of the frames."""
        yield from (self.section, self.seed, self.frames.digest())

    def optimisation(self) -> Optimisation:
        """Return Adam on the FIN's own weights."""
        own = [parameter for parameter in self.net.parameters() if parameter.requires_grad]
        return adam_hold_then_decay(own, self.section.learning_rate, self.section.steps, DECADES)

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        """Yield frames (batch, 2048) and targets (batch, dim)."""
        random = self._generator("batches", epoch)
        for _ in range(self._steps(epoch) - self._steps(epoch - 1)):
            yield self.frames.batch(self.section.batch_size, random)

    def examples(self, batch: list[Tensor]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return frames and targets as they are."""
        frames, target = batch
        return (frames,), target

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the FIN's own loss."""
        return self.net.loss(output, target)

    def before(self) -> list[dict]:
        """Return a record with the R2 before the first step, since training may reduce it."""
        return [{"step": 0, "loss": np.nan, "r2_validation": self.selection(self.net)}]

    def validate(self, epoch: int, train_loss: float) -> dict:
        """Measure R2 on the validation frames."""
        found = self.selection(self.net)
        return {"step": self._steps(epoch), "loss": train_loss, "r2_validation": found}

    def score(self, record: dict) -> float:
        """Return the validation R2."""
        return record["r2_validation"]

    def _steps(self, epoch: int) -> int:
        """Return the number of steps completed after an epoch."""
        return min(self.every * epoch, self.section.steps)

    def _generator(self, *names: object) -> torch.Generator:
        return torch.Generator().manual_seed(seed_for(self.seed, self.frames.feature, *names))


def best_record(history: list[dict]) -> dict:
    """Return the first record with the largest finite validation R2."""
    return max((row for row in history if np.isfinite(row["r2_validation"])), key=lambda row: row["r2_validation"])
