"""R2 of the FINs of ``compare_fin`` and ``reference_fin``, which are trained for comparison only.

Training and evaluation are separate stages, so that a corpus that no FIN is trained on trains none of them again.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from finser import layout
from finser.config.params import Params
from finser.files import read_json, write_json
from finser.fins.building import structured
from finser.fins.evaluation import condition_frames, on_conditions, on_unseen, unseen_frames
from finser.fins.frames.data import FrameSet, draw
from finser.fins.nets.base import Fin
from finser.fins.nets.transform import NARROW, WIDE, FrontEnd
from finser.fins.reference import ReferenceNet
from finser.fins.scoring import scores
from finser.fins.settings import check_settings
from finser.fins.store import INITIAL, WEIGHTS, load_fin
from finser.machine import SETTINGS
from finser.progress import say
from finser.training.device import start_torch


@dataclass(frozen=True)
class EvaluationFrames:
    """Frames on which all FINs of a feature are evaluated.

    Attributes
    ----------
    test : FrameSet
        Of the test speakers.
    unseen : dict
        Of each corpus that no FIN is trained on.
    disturbed : dict
        Of the test speakers under each condition: frames on the device, and labels.
    """

    test: FrameSet
    unseen: dict[str, FrameSet]
    disturbed: dict[str, tuple[list[Tensor], np.ndarray]]


def evaluate_compared(params: Params) -> None:
    """Step: every FIN of ``compare_fin`` and ``reference_fin`` -> results/fins/compared.json: feature -> way -> seed -> scores."""
    device = start_torch()
    results: dict[str, dict[str, dict[str, dict]]] = {}
    for feature in dict.fromkeys(feature for feature, _, _ in params.compared_fins):
        test = draw(params, feature, params.train_fin.data.corpora, role="test", size=params.evaluate_fin.frames)
        frames = EvaluationFrames(test, unseen_frames(params, feature), condition_frames(params, feature, device))
        for _, way, seed in (item for item in params.compared_fins if item[0] == feature):
            found = _evaluate(params, (feature, way, seed), frames, device)
            results.setdefault(feature, {}).setdefault(way, {})[str(seed)] = found
    write_json(layout.fin_comparisons(), results)


def _evaluate(params: Params, item: tuple[str, str, int], frames: EvaluationFrames, device: str) -> dict:
    """Return the scores of one FIN before and after its training, and what its config.json says of the training."""
    feature, way, seed = item
    folder = layout.compared_fin(feature, way, seed)
    config = read_json(folder / "config.json")
    check_settings(config, params.settings_of_compared(feature, way), folder)
    initial, fin = (load_fin(folder, _of_topology(params, feature, way), name)[0].to(device) for name in (INITIAL, WEIGHTS))
    result = {
        **{name: value for name, value in config.items() if name not in ("options", *SETTINGS)},
        **{f"r2_init_{name}": value for name, value in scores(initial, frames.test).items()},
        **{f"r2_test_{name}": value for name, value in scores(fin, frames.test).items()},
        "unseen": on_unseen(fin, frames.unseen),
        "conditions": on_conditions(fin, frames.disturbed),
        "trained_under": [{name: config[name] for name in SETTINGS}],
    }
    say(f"{feature} {way} seed {seed}: weighted R2 {result['r2_init_weighted']:.5f} -> {result['r2_test_weighted']:.5f}")
    return result


def _of_topology(params: Params, feature: str, way: str) -> Fin:
    """Return a network whose weights are to be replaced."""
    if way == "reference":
        return ReferenceNet(feature)
    sides = WIDE if (way, params.compare_fin.end_to_end.front_end) == ("end_to_end", "wide") else NARROW
    front_end = None if feature in ("rms", "zcr") else FrontEnd(sides=sides)
    return structured(feature, torch.Generator(), front_end)
