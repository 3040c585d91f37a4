"""Stage `prepare_fine_tuning`: models/initial/NAME/, the options of a classifier to fine-tune, and its pretrained weights.

The weights are the same for every protocol, fold and seed, except those of encoders that were pretrained here: they differ by fold.
"""

import shutil
from pathlib import Path

from finser.classifiers.prepare import write_initial
from finser.config.fields import init_kind
from finser.config.params import Params
from finser.config.sections.classifiers import ClassifierSection, EncoderTuned
from finser.errors import FinserError


def prepare_fine_tuning(params: Params, model: str) -> None:
    """Write config.json with all options of a section of fine_tune, and the weights that its ``init`` names.

    Raises
    ------
    FinserError
        The weights are missing, or have another shape.
    """
    options = params.fine_tune[model]
    write_initial(params, model, options, lambda folder: _weights(Path(options.init), folder, options))


def _weights(source: Path, target: Path, options: ClassifierSection) -> list[str]:
    """Write the initial weights to `target`, and return their names."""
    kind, _ = init_kind(options.init)
    if options.needs_encoder:
        return _copy_encoder(source, target, options)
    if kind == "weights":
        from finser.models.published import write_adapted  # needs torch

        write_adapted(source, options, target / "model.safetensors")
        return ["the encoder"]
    return _copy(source, target / "fins", [Path(feature) for feature in options.fins]) if kind == "fins" else _copy(source, target)


def _copy_encoder(source: Path, target: Path, options: ClassifierSection) -> list[str]:
    """Copy the config.json of an encoder as encoder.json, and its weights if the classifier trains them."""
    from finser.models.encoder_inputs import ENCODER

    _copy_file(source / "config.json", target / ENCODER)
    if isinstance(options, EncoderTuned):
        _copy_file(source / "model.safetensors", target / "model.safetensors")
    return ["the encoder"]


def _copy_file(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        raise FinserError("no such file", where=source, do="run the stage that makes it: dvc repro") from None


def _copy(source: Path, target: Path, folders: list[Path] | None = None) -> list[str]:
    """Copy weights with their config from `folders` below `source`, by default from all; return the names of the folders."""
    found = [path.parent.relative_to(source) for path in sorted(source.rglob("model.safetensors"))] if folders is None else folders
    if not found:
        raise FinserError("no weights", where=source, do="run the stage that makes them: dvc repro")
    for folder in found:
        (target / folder).mkdir(parents=True, exist_ok=True)
        for name in ("config.json", "model.safetensors"):
            _copy_file(source / folder / name, target / folder / name)
    return [str(folder) for folder in found]
