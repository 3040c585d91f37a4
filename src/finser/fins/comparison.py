"""FINs for comparison: other initial weights, other seeds, and the published networks, with the same code and clips.

No other model uses them.

Ways
----
closed_form
    Structured network with initial weights from librosa's formula; then its own weights are trained. Training can hardly improve it.
staged
    Structured network with random initial weights, trained as ``train_fin`` does, with a seed of its own: first its front end on the
    STFT of noise, then its head on the feature (MFCC: first the mel FIN).
end_to_end
    Structured network with random initial weights. Front end and head are trained together, on the feature alone, of recorded and of
    synthetic frames. The front end may be wider, and mel's loss has no logarithms (docs/fins.md). RMS and ZCR have no front end: for
    them this way differs from staged in the frames and the settings.
reference
    The published network.
"""

from pathlib import Path

import torch

from finser import layout, machine
from finser.config.params import Params
from finser.config.sections.train_fin import FinSection
from finser.features import pool
from finser.fins.building import structured
from finser.fins.frames.training_frames import training_frames
from finser.fins.front_end import FrontEndTask
from finser.fins.nets.base import Fin, count
from finser.fins.nets.mel import MelFin
from finser.fins.nets.mfcc import MfccFin
from finser.fins.nets.transform import NARROW, WIDE, FrontEnd
from finser.fins.reference import ReferenceNet
from finser.fins.store import save_fin
from finser.fins.train_fin import LIBRARIES, FinTask, best_record
from finser.progress import say
from finser.seeds import seed_for
from finser.training.device import start_torch
from finser.training.loop import fit


def compare_fin(params: Params, feature: str, way: str, seed: int) -> None:
    """Step: train a FIN of `feature` from `way`'s initial weights -> models/compared/FEATURE/WAY/SEED/."""
    _train(params, feature, way, seed, layout.checkpoint("compare_fin", feature, way, str(seed)))


def reference_fin(params: Params, feature: str, seed: int) -> None:
    """Step: train the published network of `feature` -> models/compared/FEATURE/reference/SEED/."""
    _train(params, feature, "reference", seed, layout.checkpoint("reference_fin", feature, str(seed)))


def _train(params: Params, feature: str, way: str, seed: int, checkpoint: Path) -> None:
    pool.verify(pool.read("fins"), layout.pool("fins"))
    device = start_torch()
    fin = initial_fin(params, feature, way, seed)
    excitation = params.compare_fin.end_to_end.excitation if way == "end_to_end" else 0.0
    frames = training_frames(params, feature, device, excitation)
    task = FinTask(fin, frames, section(params, feature, way), seed, closed_form=way == "closed_form")
    initial = {name: tensor.clone() for name, tensor in fin.state_dict().items()}
    history = fit(task, checkpoint).history
    config = {
        "feature": feature,
        "way": way,
        "topology": "reference" if way == "reference" else "structured",
        "seed": seed,
        "definition": params.label.definition,
        "options": params.settings_of_compared(feature, way),
        **count(fin),
        "steps": history[-1]["step"],
        "best_step": best_record(history)["step"],
        **machine.settings(LIBRARIES),
    }
    save_fin(layout.compared_fin(feature, way, seed), fin, config, history, initial)
    checkpoint.unlink(missing_ok=True)
    say(f"{feature} {way} seed {seed}: validation R2 {best_record(history)['r2_validation']:.5f}")


def section(params: Params, feature: str, way: str) -> FinSection:
    """Return the settings of the training."""
    if way == "reference":
        return params.reference_fin
    return getattr(params.train_fin, feature) if way == "staged" else getattr(params.compare_fin, way)


def initial_fin(params: Params, feature: str, way: str, seed: int) -> Fin:
    """Return a FIN with its initial weights; frozen parts are trained here, on the GPU if there is one."""
    weights = torch.Generator().manual_seed(seed_for(seed, feature, "init"))
    if way == "reference":
        return ReferenceNet(feature, weights)
    if feature in ("rms", "zcr"):
        return structured(feature, weights)
    random = torch.Generator().manual_seed(seed_for(seed, "front_end", "init"))
    if way == "end_to_end":
        sides = WIDE if params.compare_fin.end_to_end.front_end == "wide" else NARROW
        return _all_at_once(feature, FrontEnd(random, sides), weights)
    front_end = FrontEnd(random)
    if way == "closed_form":
        return _of_formula(feature, front_end.closed_form(), weights)
    fit(FrontEndTask(front_end, params.train_front_end, seed))
    if feature != "mfcc":
        return structured(feature, weights, front_end)
    mel = structured("mel", torch.Generator().manual_seed(seed_for(seed, "mel", "init")), front_end)
    fit(FinTask(mel, training_frames(params, "mel", start_torch()), params.compare_fin.staged.mel, seed))
    return MfccFin(mel, weights)


def _all_at_once(feature: str, front_end: FrontEnd, weights: torch.Generator) -> Fin:
    fin = structured(feature, weights, front_end).requires_grad_(True)
    if isinstance(fin, MelFin):
        fin.log_weight = 0.0  # a tone leaves most bands empty; their logarithms would dominate the loss
    return fin


def _of_formula(feature: str, front_end: FrontEnd, weights: torch.Generator) -> Fin:
    if feature != "mfcc":
        return structured(feature, weights, front_end)
    return MfccFin(structured("mel", weights, front_end).closed_form(), weights)
