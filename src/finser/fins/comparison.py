"""FINs that nothing is built on: other beginnings, the published nets, other seeds, by the same code on frames of the same clips.

Ways
----
closed_form
    The structured net set to librosa's formula, then its own weights trained. At its beginning it has learned nothing, and is as
    good as it gets.
staged
    The structured net from random weights, as ``train_fin`` does it, with a seed of its own: its front end is first taught the STFT
    of noise, then its head the feature (MFCC: first the mel FIN).
end_to_end
    The structured net from random weights, front end and head at once, taught nothing but the feature, on recordings and on
    synthetic frames; its front end may be wider, and mel's loss has no logarithms (docs/fins.md). RMS and ZCR have no front end:
    for them it differs from staged in the frames and the settings.
reference
    The published net.
"""

import time
from dataclasses import replace
from pathlib import Path

import torch

from finser import layout, machine
from finser.config.params import Params
from finser.config.sections.train_fin import Fin as FinParams
from finser.files import write_json
from finser.fins.checkpoint import Checkpoint
from finser.fins.data import draw
from finser.fins.evaluation import conditions, on_unseen
from finser.fins.front_end import teach as teach_front_end
from finser.fins.nets.base import Fin, count, start_torch
from finser.fins.nets.building import structured
from finser.fins.nets.mel import MelFin
from finser.fins.nets.mfcc import MfccFin
from finser.fins.nets.reference import ReferenceFin
from finser.fins.nets.transform import NARROW, WIDE, FrontEnd
from finser.fins.training import LIBRARIES, fit, lessons, prepare, scores
from finser.progress import say
from finser.seeds import seed_for


def compare_fin(params: Params, feature: str, way: str, seed: int) -> None:
    """Step: train and evaluate a FIN of `feature` beginning in some `way` -> results/fins/compared/FEATURE/WAY/SEED.json."""
    _compare(params, feature, way, seed, layout.checkpoint("compare_fin", feature, way, str(seed)))


def reference_fin(params: Params, feature: str, seed: int) -> None:
    """Step: train and evaluate the published net of `feature` -> results/fins/compared/FEATURE/reference/SEED.json."""
    _compare(params, feature, "reference", seed, layout.checkpoint("reference_fin", feature, str(seed)))


def _compare(params: Params, feature: str, way: str, seed: int, checkpoint: Path) -> None:
    device = start_torch()
    started = time.perf_counter()
    fin = begin(params, feature, way, seed).to(device)
    excitation = params.compare_fin.end_to_end.excitation if way == "end_to_end" else 0.0
    given = replace(lessons(params, feature), excitation=excitation)
    random = prepare(fin, given, seed, closed_form=way == "closed_form")
    test = draw(params, feature, params.train_fin.data.corpora, role="test", size=params.evaluate_fin.frames)
    at_first = scores(fin, test)
    history, best_step = fit(fin, given, section(params, feature, way), random, Checkpoint(checkpoint))
    seconds = time.perf_counter() - started
    result = {
        "feature": feature,
        "way": way,
        "topology": "reference" if way == "reference" else "structured",
        "seed": seed,
        "definition": params.label.definition,
        **count(fin),
        **{f"r2_init_{name}": value for name, value in at_first.items()},
        **{f"r2_test_{name}": value for name, value in scores(fin, test).items()},
        "unseen": on_unseen(params, fin),
        "conditions": conditions(params, fin),
        "steps": history[-1]["step"],
        "best_step": best_step,
        "seconds_train": seconds,
        "device": device,
        "trained_under": [machine.settings(LIBRARIES)],
    }
    write_json(layout.fin_comparison(feature, way, seed), result)
    checkpoint.unlink(missing_ok=True)
    say(f"{feature} {way} seed {seed}: weighted R2 {result['r2_init_weighted']:.5f} -> {result['r2_test_weighted']:.5f}")


def section(params: Params, feature: str, way: str) -> FinParams:
    """How a FIN that begins in this way is trained."""
    if way == "reference":
        return params.reference_fin
    return getattr(params.train_fin, feature) if way == "staged" else getattr(params.compare_fin, way)


def begin(params: Params, feature: str, way: str, seed: int) -> Fin:
    """A FIN before its own training."""
    weights = torch.Generator().manual_seed(seed_for(seed, feature, "init"))
    if way == "reference":
        return ReferenceFin(feature, weights)
    if feature in ("rms", "zcr"):
        return structured(feature, weights)
    random = torch.Generator().manual_seed(seed_for(seed, "front_end", "init"))
    if way == "end_to_end":
        sides = WIDE if params.compare_fin.end_to_end.front_end == "wide" else NARROW
        return _all_at_once(feature, FrontEnd(random, sides), weights)
    front_end = FrontEnd(random)
    if way == "closed_form":
        return _of_formula(feature, front_end.closed_form(), weights)
    teach_front_end(front_end, params.train_front_end, seed)
    if feature != "mfcc":
        return structured(feature, weights, front_end)
    mel = structured("mel", torch.Generator().manual_seed(seed_for(seed, "mel", "init")), front_end)
    given = lessons(params, "mel")
    fit(mel, given, params.compare_fin.staged.mel, prepare(mel, given, seed), Checkpoint(None))
    return MfccFin(mel, weights)


def _all_at_once(feature: str, front_end: FrontEnd, weights: torch.Generator) -> Fin:
    fin = structured(feature, weights, front_end).requires_grad_(True)
    if isinstance(fin, MelFin):
        fin.log_weight = 0.0  # a tone leaves most bands empty: their logarithms would drown what it teaches
    return fin


def _of_formula(feature: str, front_end: FrontEnd, weights: torch.Generator) -> Fin:
    if feature != "mfcc":
        return structured(feature, weights, front_end)
    return MfccFin(structured("mel", weights, front_end).closed_form(), weights)
