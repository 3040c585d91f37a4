"""Stage `prepare_classifier`: models/initial/NAME/, the options of a classifier that is trained from random weights.

What is prepared is an input of its training, so DVC trains a classifier again if one of its options or a default of its kind changes, and
only then. :mod:`finser.training.prepare_fine_tuning` does the same for classifiers that start from trained weights.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from finser import layout
from finser.config.params import Params
from finser.config.sections.classifiers import Classifier as Options
from finser.emotions import EMOTIONS
from finser.files import whole_folder, write_json
from finser.progress import say

Put = Callable[[Path], Sequence[str]]  # writes the initial weights into a folder and returns which these are


def prepare_classifier(params: Params, model: str) -> None:
    """Write config.json with all options of a section of train_classifier; its weights are drawn when it is trained."""
    write_initial(model, params.train_classifier[model])


def write_initial(model: str, options: Options, put_weights: Put | None = None) -> None:
    """Write models/initial/MODEL/: config.json, and weights where `put_weights` writes any."""
    with whole_folder(layout.initial(model)) as partial:
        given = put_weights(partial) if put_weights else ()
        weights = f"{', '.join(given)} of {options.init}; the rest random" if given else "random, if it has any"
        config = {"model": options.model, "classes": list(EMOTIONS), "weights": weights, "options": options.model_dump(mode="json")}
        write_json(partial / "config.json", config)
    say(f"initial {model}: {weights}")
