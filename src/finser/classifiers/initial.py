"""What training begins from: models/initial/MODEL/, the same for every protocol, fold and seed but for trunks of their own fold."""

import json
import shutil
from pathlib import Path

from finser import layout
from finser.emotions import EMOTIONS
from finser.files import whole_folder
from finser.params import Classifier as Options
from finser.params import Params
from finser.progress import say


def initialise(params: Params, model: str) -> None:
    """Write config.json, and the weights that were trained before: FINs, a trunk, or published ones. Random ones are drawn in training."""
    begin, options = params.initialise.models[model].begin, params.train_classifier[model]
    with whole_folder(layout.initial(model)) as partial:
        given = _copy(Path(begin), partial, options) if begin.startswith("models/") else []
        weights = f"{', '.join(given)} of {begin}; the rest random" if given else "random, if it has any"
        config = {"model": options.model, "classes": list(EMOTIONS), "weights": weights}
        (partial / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    say(f"initial {model}: {weights}")


def _copy(source: Path, target: Path, options: Options) -> list[str]:
    """Copy the wanted FINs, published weights, or all weights below `source`, and return what was copied."""
    if getattr(options, "init", None) == "weights":
        from finser.classifiers.published import write_adapted

        write_adapted(source, options, target / "model.safetensors")
        return ["the encoder"]
    if fins := getattr(options, "fins", ()):
        from finser.classifiers.fin_features import copy_fin

        for feature in fins:
            copy_fin(layout.fin(feature), target / "fins" / feature)
        return list(fins)
    paths = sorted(source.rglob("model.safetensors"))
    for path in paths:
        (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / path.relative_to(source))
    return [str(path.relative_to(source).parent) for path in paths]
