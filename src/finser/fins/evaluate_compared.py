"""R2 of the FINs of ``compare_fin`` and ``reference_fin``, which are trained for comparison only.

Their training is a stage of its own, so that a corpus that no FIN is trained on trains none of them again.
"""

from finser import layout
from finser.config.params import Params
from finser.files import write_json
from finser.fins.comparison import load_compared
from finser.fins.evaluation import conditions, on_unseen, unseen_frames
from finser.fins.frames.data import FrameSet, draw
from finser.fins.scoring import scores
from finser.fins.settings import check_settings
from finser.machine import SETTINGS
from finser.progress import say
from finser.training.device import start_torch


def evaluate_compared(params: Params) -> None:
    """Step: every FIN of ``compare_fin`` and ``reference_fin`` on the frames of ``evaluate_fin`` -> results/fins/compared.json."""
    results = []
    for feature in dict.fromkeys(feature for feature, _, _ in params.compared_fins):
        test = draw(params, feature, params.train_fin.data.corpora, role="test", size=params.evaluate_fin.frames)
        unseen = unseen_frames(params, feature)
        results += [_evaluate(params, item, test, unseen) for item in params.compared_fins if item[0] == feature]
    write_json(layout.fin_comparisons(), results)


def _evaluate(params: Params, item: tuple[str, str, int], test: FrameSet, unseen: dict[str, FrameSet]) -> dict:
    """Return the scores of one FIN, and what its config.json says of its training."""
    device = start_torch()
    feature, way, seed = item
    fin, config = load_compared(params, feature, way, seed)
    check_settings(config, params.settings_of_compared(feature, way), layout.compared_fin(feature, way, seed))
    fin.to(device)
    result = {
        **{name: value for name, value in config.items() if name not in ("options", *SETTINGS)},
        **{f"r2_test_{name}": value for name, value in scores(fin, test).items()},
        "unseen": on_unseen(fin, unseen),
        "conditions": conditions(params, fin),
        "trained_under": [{name: config[name] for name in SETTINGS}],
    }
    say(f"{feature} {way} seed {seed}: weighted R2 {config['r2_init_weighted']:.5f} -> {result['r2_test_weighted']:.5f}")
    return result
