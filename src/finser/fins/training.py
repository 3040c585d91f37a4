"""Training of one FIN: a plain loop over frames that are held in memory as int16."""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from finser import layout
from finser.cepstrum import AMIN, N_MELS, dct_matrix, decibels
from finser.errors import FinserError
from finser.files import write_json
from finser.fins.base import Fin, as_float, count, predict, start_torch
from finser.fins.chroma import ChromaFin
from finser.fins.data import FrameSet, draw
from finser.fins.mel import MelFin
from finser.fins.mfcc import MfccFin
from finser.fins.optimise import adam
from finser.fins.rms import RmsFin
from finser.fins.store import load_fin, save_fin
from finser.fins.zcr import ZcrFin
from finser.params import Fin as FinParams
from finser.params import Params
from finser.progress import say, track
from finser.regression import r2_uniform, r2_weighted
from finser.seeds import seed_for

VALIDATION_FRAMES = 4_000
CHECKS = 10  # validations in a training
DECADES = 3.0  # of the learning rate's decay
SCALE_FRAMES = 8_192  # that means and deviations are taken from

Target = Callable[[Tensor, Tensor], Tensor]  # labels (batch, dim) and gains (batch, 1) -> targets of the scaled frames


def train_fin(params: Params, feature: str) -> None:
    """Step: train the FIN of `feature` -> models/fins/FEATURE/."""
    data, device = params.train_fin.data, start_torch()
    fin, inherited = build(feature, params.seed)
    fin.to(device)
    source, target = targets(feature, params.label.definition)
    train = draw(params, source, data.corpora, role="train", variants=params.variants, size=data.frames)
    validation = draw(params, feature, data.corpora, role="validation", size=min(VALIDATION_FRAMES, data.frames // 5))
    random = torch.Generator().manual_seed(seed_for(params.seed, feature, "batches"))
    started = time.perf_counter()
    fin.set_scales(*batch(train, target, data.gain_db, SCALE_FRAMES, random, device))
    at_initialisation = scores(fin, validation)
    history, best_step = fit(fin, train, validation, getattr(params.train_fin, feature), target, data.gain_db, random)
    seconds = time.perf_counter() - started
    config = {
        "feature": feature,
        "topology": "structured",
        "init": "random",
        "inherits": inherited,
        "definition": params.label.definition,
        "frame": "np.pad(y, 1024)[512 t : 512 t + 2048] of int16 / 32768 at 22050 Hz",
        "seed": params.seed,
        **count(fin),
        "r2_init_uniform": at_initialisation["uniform"],
        "r2_init_weighted": at_initialisation["weighted"],
        "r2_validation": selection(fin, validation),
        "steps": history[-1]["step"],
        "best_step": best_step,
        "early_stopping": "the weights kept are those of the best validation R2 among the checks in history.csv",
        "n_train_frames": len(train.frames),
        "n_train_speakers": len(train.speakers),
        "speakers": sorted(train.speakers | validation.speakers),
        "n_validation_frames": len(validation.frames),
        "n_validation_speakers": len(validation.speakers),
        "device": device,
    }
    write_json(layout.training_time("train_fin", feature), {"seconds_train": round(seconds, 3)})
    save_fin(layout.fin(feature), fin, config, history)
    say(f"{feature}: validation R2 {config['r2_validation']:.5f}, {config['params_own']} own parameters")


def build(feature: str, seed: int) -> tuple[Fin, dict]:
    """The FIN of `feature` before its training, and what it inherits: name -> how that was initialised."""
    weights = torch.Generator().manual_seed(seed_for(seed, feature, "init"))
    if feature in ("rms", "zcr"):
        return {"rms": RmsFin, "zcr": ZcrFin}[feature](weights), {}
    if feature in ("chroma", "mel"):
        front_end, config = load_fin(layout.fin("front_end"))
        return {"chroma": ChromaFin, "mel": MelFin}[feature](front_end, weights), {"front_end": config["init"]}
    mel, config = load_fin(layout.fin("mel"))
    return MfccFin(mel, weights), {"mel": config["init"], **config["inherits"]}


def targets(feature: str, definition: str) -> tuple[str, Target]:
    """Whose labels training reads, and how a gain g on the frame changes them.

    RMS scales by g, mel by g^2; chroma and zero crossings stay. MFCC of a scaled frame are those of the scaled mel powers, so
    that librosa's floor of 1e-10 is respected; under ``librosa_default`` its clip-wide floor moves along with the clip, and only
    the zeroth coefficient shifts.
    """
    if feature == "rms":
        return feature, lambda label, gain: label * gain
    if feature == "mel":
        return feature, lambda label, gain: label * gain.square()
    if feature == "mfcc":
        return ("mel", _mfcc_of_mel) if definition == "frame" else ("mfcc", _shifted_mfcc)
    return feature, lambda label, gain: label


def _mfcc_of_mel(label: Tensor, gain: Tensor) -> Tensor:
    dct = torch.from_numpy(dct_matrix()).to(label)  # (20, 128)
    return 10 * (label * gain.square()).clamp_min(AMIN).log10() @ dct.T


def _shifted_mfcc(label: Tensor, gain: Tensor) -> Tensor:
    shift = 20 * gain.log10() * N_MELS**0.5
    return torch.cat([label[:, :1] + shift, label[:, 1:]], dim=1)


def batch(train: FrameSet, target: Target, gain_db: float, size: int, random: torch.Generator, device: str) -> tuple[Tensor, Tensor]:
    """Frames (size, 2048) at random, each under its own gain of U(-gain_db, gain_db) dB, and their targets (size, dim)."""
    chosen = torch.randint(len(train.frames), (size,), generator=random).numpy()
    gain = (10 ** (gain_db * (2 * torch.rand(size, 1, generator=random) - 1) / 20)).to(device)
    label = torch.from_numpy(train.labels[chosen]).to(device)
    return as_float(torch.from_numpy(train.frames[chosen]), device) * gain, target(label, gain)


def fit(
    fin: Fin, train: FrameSet, validation: FrameSet, section: FinParams, target: Target, gain_db: float, random: torch.Generator
) -> tuple[list[dict[str, float]], int]:
    """Train in place; `fin` ends with the weights of its best validation. Returns history.csv's rows and the best step."""
    device = next(fin.parameters()).device
    own = [parameter for parameter in fin.parameters() if parameter.requires_grad]
    optimiser, schedule = adam(own, section.learning_rate, section.steps, DECADES)
    history, best, best_step, losses = [], (-np.inf, None), 0, []
    for step in track(range(1, section.steps + 1), f"train {fin.feature}"):
        optimiser.zero_grad()
        frames, labels = batch(train, target, gain_db, section.batch_size, random, device)
        loss = fin.loss(fin(frames), labels)
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.detach())
        if step % max(1, section.steps // CHECKS) == 0 or step == section.steps:
            history.append({"step": step, "loss": torch.stack(losses).mean().item(), "r2_validation": selection(fin, validation)})
            losses = []
            if history[-1]["r2_validation"] > best[0]:
                best, best_step = (history[-1]["r2_validation"], [weight.detach().clone() for weight in own]), step
    _restore(own, best[1], fin.feature)
    return history, best_step


@torch.no_grad()
def _restore(own: list[Tensor], best: list[Tensor] | None, feature: str) -> None:
    if best is None:
        raise FinserError(f"training of {feature} diverged: no validation gave a number", do=f"lower train_fin.{feature}.learning_rate")
    for weight, kept in zip(own, best, strict=True):
        weight.copy_(kept)


def scores(fin: Fin, frames: FrameSet) -> dict[str, float]:
    """R2 on a set in the feature's own unit (uniform, weighted) and, for mel, in dB (db_uniform, db_weighted)."""
    predicted = predict(fin, frames.frames)
    found = {"uniform": r2_uniform(frames.labels, predicted), "weighted": r2_weighted(frames.labels, predicted)}
    if fin.feature == "mel":
        found["db_uniform"] = r2_uniform(decibels(frames.labels), decibels(predicted))
        found["db_weighted"] = r2_weighted(decibels(frames.labels), decibels(predicted))
    return found


def selection(fin: Fin, validation: FrameSet) -> float:
    """The R2 that chooses among checks: uniform, for mel in dB (where a band is empty, that of powers says nothing)."""
    found = scores(fin, validation)
    return found.get("db_uniform", found["uniform"])
