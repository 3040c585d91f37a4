"""Training of one FIN: a plain loop over frames drawn on the fly."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from finser import layout, machine
from finser.config.params import Params
from finser.config.sections.train_fin import Disturbance
from finser.config.sections.train_fin import Fin as FinParams
from finser.errors import FinserError
from finser.features.cepstrum import N_MELS, decibels
from finser.files import write_json
from finser.fins.checkpoint import Checkpoint
from finser.fins.data import FrameSet, clip_ids, draw
from finser.fins.disturbance import disturb
from finser.fins.excitation import excite
from finser.fins.nets.base import Fin, as_float, count, predict, start_torch
from finser.fins.nets.building import build
from finser.fins.optimise import adam
from finser.fins.recordings import Recordings, gather
from finser.fins.store import save_fin
from finser.fins.teacher import teach
from finser.progress import say, track
from finser.scores.regression import r2_uniform, r2_weighted
from finser.seeds import seed_for

CHECKS = 10  # validations in a training
DECADES = 3.0  # of the learning rate's decay
LIBRARIES = ("torch", "librosa", "safetensors")
SCALE_FRAMES = 8_192  # that means and deviations are taken from

History = list[dict[str, float]]


@dataclass(frozen=True)
class Lessons:
    """What a FIN learns from and is judged by.

    Attributes
    ----------
    feature : str
        Which FIN.
    train : Recordings
        Its training clips.
    disturbance : Disturbance
        What happens to their frames.
    validation : FrameSet
        Frames of other speakers, undisturbed.
    excitation : float
        Share of a batch that is synthetic (:mod:`finser.fins.excitation`) instead.
    """

    feature: str
    train: Recordings
    disturbance: Disturbance
    validation: FrameSet
    excitation: float = 0.0

    def digest(self) -> str:
        """Of everything that a training can take from here."""
        found = hashlib.blake2b(f"{self.feature} {self.disturbance} {self.excitation} {self.train.digest}".encode())
        for values in (self.validation.frames, self.validation.labels):
            found.update(values.tobytes())
        return found.hexdigest()

    def batch(self, size: int, random: torch.Generator, device: str | torch.device) -> tuple[Tensor, Tensor]:
        """Frames (size, 2048) and their targets (size, dim)."""
        excited = round(self.excitation * size)
        frames, labels = self._recorded(size - excited, random, device)
        if not excited:
            return frames, labels
        synthetic = excite(excited, random).to(device)
        return torch.cat([frames, synthetic]), torch.cat([labels, teach(self.feature, synthetic)])

    def _recorded(self, size: int, random: torch.Generator, device: str | torch.device) -> tuple[Tensor, Tensor]:
        """Disturbed frames of recordings."""
        drawn, labels = self.train.draw(size, random)
        clean = as_float(torch.from_numpy(drawn), device)
        frames, gain = disturb(clean, self.disturbance, random)
        if labels is None:
            return frames, teach(self.feature, frames)
        return frames, scaled(self.feature, torch.from_numpy(labels).to(device), gain)


def train_fin(params: Params, feature: str) -> None:
    """Step: train the FIN of `feature` -> models/fins/FEATURE/."""
    device = start_torch()
    fin, inherited = build(feature, params.seed)
    given = lessons(params, feature)
    started = time.perf_counter()
    learned = learn(fin.to(device), given, getattr(params.train_fin, feature), params.seed, layout.checkpoint("train_fin", feature))
    seconds = time.perf_counter() - started
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
        **learned.facts,
        "n_train_frames": int(given.train.counts.sum()),
        "n_train_speakers": len(given.train.speakers),
        "speakers": sorted(given.train.speakers | given.validation.speakers),
        "n_validation_frames": len(given.validation.frames),
        "n_validation_speakers": len(given.validation.speakers),
        **machine.settings(LIBRARIES),
    }
    write_json(layout.training_time("train_fin", feature), {"seconds_train": round(seconds, 3)})
    save_fin(layout.fin(feature), fin, config, learned.history)
    layout.checkpoint("train_fin", feature).unlink(missing_ok=True)
    say(f"{feature}: validation R2 {config['r2_validation']:.5f}, {config['params_own']} own parameters")


def lessons(params: Params, feature: str) -> Lessons:
    """Training clips in every variant, and frames of the validation speakers' originals."""
    data = params.train_fin.data
    training = clip_ids(params, data.corpora, "train")
    labelled = params.label.definition != "frame"  # what looks beyond the frame cannot be computed from it
    train = gather(data.corpora, training, params.variants, feature, labelled=labelled)
    validation = draw(params, feature, data.corpora, role="validation", size=data.validation_frames)
    return Lessons(feature, train, data.disturbance, validation)


def scaled(feature: str, label: Tensor, gain: Tensor) -> Tensor:
    """librosa's default labels (batch, dim) after a gain (batch, 1) on the clip.

    RMS scales by g, mel by g^2; chroma and zero crossings stay; of MFCC only the zeroth coefficient shifts, since the floor below
    the clip's loudest band moves along.
    """
    if feature in ("rms", "mel"):
        return label * gain ** (1 if feature == "rms" else 2)
    if feature != "mfcc":
        return label
    return torch.cat([label[:, :1] + 20 * gain.log10() * N_MELS**0.5, label[:, 1:]], dim=1)


@dataclass(frozen=True)
class Learned:
    """What a training gives besides the weights: facts for config.json and rows for history.csv."""

    facts: dict
    history: History


def prepare(fin: Fin, given: Lessons, seed: int, *, closed_form: bool = False) -> torch.Generator:
    """Set a FIN's constants, and with `closed_form` its weights; returns what the training's draws come from."""
    random = torch.Generator().manual_seed(seed_for(seed, given.feature, "batches"))
    fin.set_scales(*given.batch(SCALE_FRAMES, random, next(fin.parameters()).device))
    if closed_form:
        fin.closed_form()
    return random


def learn(fin: Fin, given: Lessons, section: FinParams, seed: int, path: Path) -> Learned:
    """Train a FIN in place; a checkpoint at `path` is gone on from."""
    random = prepare(fin, given, seed)
    at_initialisation = scores(fin, given.validation)
    history, best_step = fit(fin, given, section, random, Checkpoint(path))
    facts = {
        "r2_init_uniform": at_initialisation["uniform"],
        "r2_init_weighted": at_initialisation["weighted"],
        "r2_validation": selection(fin, given.validation),
        "steps": history[-1]["step"],
        "best_step": best_step,
        "early_stopping": f"after {section.patience} checks without a better validation R2; the weights kept are the best check's",
    }
    return Learned(facts, history)


def fit(fin: Fin, given: Lessons, section: FinParams, random: torch.Generator, checkpoint: Checkpoint) -> tuple[History, int]:
    """Train in place; `fin` ends with the weights of its best validation. Returns history.csv's rows and the best step."""
    device = next(fin.parameters()).device
    own = [parameter for parameter in fin.parameters() if parameter.requires_grad]
    optimiser, schedule = adam(own, section.learning_rate, section.steps, DECADES)
    best = [weight.detach().clone() for weight in own]
    history: History = checkpoint.resume(fin, f"{section} {given.digest()} {device}", own, best, optimiser, schedule, random)
    history = history or [{"step": 0, "loss": np.nan, "r2_validation": selection(fin, given.validation)}]  # training may make it worse
    losses: list[Tensor] = []
    for step in track(range(history[-1]["step"] + 1, section.steps + 1), f"train {fin.feature}"):
        if _ended(history, section.patience):
            break
        optimiser.zero_grad()
        frames, labels = given.batch(section.batch_size, random, device)
        loss = fin.loss(fin(frames), labels)
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.detach())
        if step % max(1, section.steps // CHECKS) == 0 or step == section.steps:
            found = selection(fin, given.validation)
            if found > max(map(_value, history)):  # never so if it is not a number
                _copy(own, best)
            history.append({"step": step, "loss": torch.stack(losses).mean().item(), "r2_validation": found})
            losses = []
            checkpoint.save(own, best, optimiser, random, history)
    best_row = max(history, key=lambda row: (_value(row), -row["step"]))
    if max(map(_value, history[1:])) == -np.inf:
        raise FinserError(f"training of {fin.feature} diverged: no validation gave a number", do="lower its learning_rate in params.yaml")
    _copy(best, own)
    return history, best_row["step"]


def _ended(history: History, patience: int) -> bool:
    """Whether the last `patience` checks are all no better than the best before them."""
    values = list(map(_value, history))
    return len(values) > patience and not max(values[-patience:]) > max(values[:-patience])


def _value(row: dict[str, float]) -> float:
    """R2 of a check; one that gave no number is worse than any other."""
    return row["r2_validation"] if np.isfinite(row["r2_validation"]) else -np.inf


@torch.no_grad()
def _copy(source: list[Tensor], target: list[Tensor]) -> None:
    for ours, theirs in zip(source, target, strict=True):
        theirs.copy_(ours)


def scores(fin: Fin, frames: FrameSet) -> dict[str, float]:
    """R2 on a set in the feature's own unit (uniform, weighted) and, for mel, in dB (db_uniform, db_weighted)."""
    return scores_of(fin.feature, frames.labels, predict(fin, frames.frames))


def scores_of(feature: str, labels: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """As :func:`scores`, of labels and predictions (n, dim)."""
    found = {"uniform": r2_uniform(labels, predicted), "weighted": r2_weighted(labels, predicted)}
    if feature == "mel":
        found["db_uniform"] = r2_uniform(decibels(labels), decibels(predicted))
        found["db_weighted"] = r2_weighted(decibels(labels), decibels(predicted))
    return found


def selection(fin: Fin, validation: FrameSet) -> float:
    """The R2 that chooses among checks: uniform, for mel in dB (where a band is empty, that of powers says nothing)."""
    found = scores(fin, validation)
    return found.get("db_uniform", found["uniform"])
