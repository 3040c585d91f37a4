"""R2 of a FIN on speakers and on corpora that it never saw."""

import shutil
import time

from finser import layout
from finser.files import whole_file, write_json
from finser.fins.base import start_torch
from finser.fins.data import draw
from finser.fins.store import load_fin
from finser.fins.training import scores
from finser.params import Params
from finser.progress import say


def evaluate_fin(params: Params, feature: str) -> None:
    """Step: the FIN of `feature` on test speakers and on unseen corpora -> results/fins/FEATURE.json and its history as FEATURE.csv.

    Frames are of originals, evenly over the clips. Without an unseen corpus its figures are null.
    """
    device = start_torch()
    fin, config = load_fin(layout.fin(feature))
    fin.to(device)
    size, unseen = params.evaluate_fin.frames, params.unseen_corpora
    started = time.perf_counter()
    test = draw(params, feature, params.train_fin.data.corpora, role="test", size=size)
    test_scores = scores(fin, test)
    other = draw(params, feature, unseen, size=size) if unseen else None
    other_scores = scores(fin, other) if other else dict.fromkeys(test_scores)
    result = {
        **{name: config[name] for name in ("feature", "topology", "init", "seed", "params", "params_own", "params_inherited")},
        "front_end_init": config["inherits"].get("front_end"),
        "definition": config["definition"],
        **{f"r2_test_{name}": value for name, value in test_scores.items()},
        **{f"r2_unseen_{name}": value for name, value in other_scores.items()},
        **{name: config[name] for name in ("r2_init_uniform", "r2_init_weighted", "r2_validation", "n_train_frames")},
        "n_test_frames": len(test.frames),
        "n_test_speakers": len(test.speakers),
        "n_unseen_frames": len(other.frames) if other else 0,
        "unseen_corpora": ", ".join(unseen),
        "seconds_evaluate": time.perf_counter() - started,
        "device": config["device"],
    }
    write_json(layout.fin_result(feature), result)
    with whole_file(layout.fin_history(feature)) as partial:
        shutil.copyfile(layout.fin(feature) / "history.csv", partial)
    unseen_text = f", unseen corpora {other_scores['weighted']:.5f}" if other else ""
    say(f"{feature}: weighted R2 on test speakers {test_scores['weighted']:.5f}{unseen_text}")
