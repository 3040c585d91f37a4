"""What training begins from: models/initial/MODEL/, the same for every protocol, fold and seed but for trunks of their own fold."""

import json
import shutil
from pathlib import Path

from finser import layout
from finser.config.schema import Classifier as Options
from finser.config.schema import Params
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.files import whole_folder
from finser.progress import say


def initialise(params: Params, model: str) -> None:
    """Write config.json, and the weights that were trained before: FINs, a trunk, or published ones. Random ones are drawn in training."""
    begin, options = params.initialise.models[model].begin, params.train_classifier[model]
    with whole_folder(layout.initial(model)) as partial:
        given = _given(Path(begin), partial, options) if begin.startswith("models/") else []
        weights = f"{', '.join(given)} of {begin}; the rest random" if given else "random, if it has any"
        config = {"model": options.model, "classes": list(EMOTIONS), "weights": weights}
        (partial / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    say(f"initial {model}: {weights}")


def _given(source: Path, target: Path, options: Options) -> list[str]:
    """Put the weights that a model begins from into `target`, and return which."""
    if getattr(options, "init", None) == "weights":
        from finser.models.weights.published import write_adapted  # needs torch

        write_adapted(source, options, target / "model.safetensors")
        return ["the encoder"]
    fins = getattr(options, "fins", ())
    return _copy(source, target / "fins", [Path(feature) for feature in fins]) if fins else _copy(source, target)


def _copy(source: Path, target: Path, folders: list[Path] | None = None) -> list[str]:
    """Copy weights with their config from folders below `source`, from all by default; returns which."""
    found = [path.parent.relative_to(source) for path in sorted(source.rglob("model.safetensors"))] if folders is None else folders
    if not found:
        raise FinserError("no weights", where=source, do="run the stage that makes them: dvc repro")
    for folder in found:
        (target / folder).mkdir(parents=True, exist_ok=True)
        for name in ("config.json", "model.safetensors"):
            try:
                shutil.copyfile(source / folder / name, target / folder / name)
            except FileNotFoundError:
                raise FinserError("no such file", where=source / folder / name, do="run the stage that makes it: dvc repro") from None
    return [str(folder) for folder in found]
