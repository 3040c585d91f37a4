"""Stage `prepare_classifier`: models/initial/NAME/, the options of a classifier with random initial weights.

This folder is an input of the training. DVC therefore trains a classifier again if one of its options, a default of its kind or
the set of emotions changes, and only then. :mod:`finser.classifiers.prepare_fine_tuning` does the same for classifiers with pretrained
weights.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from finser import layout
from finser.config.params import Params
from finser.config.sections.classifiers import ClassifierSection
from finser.config.sections.features import REPRESENTATIONS
from finser.errors import FinserError
from finser.features import pool
from finser.files import read_json, whole_folder, write_json
from finser.fins.settings import check_settings
from finser.progress import say
from finser.project.code import closure, digest
from finser.project.libraries import check_versions, versions_of

TRAINING = "classifiers.train_classifier"  # the module that trains what is prepared here
Put = Callable[[Path], Sequence[str]]  # writes the initial weights to a folder and returns their names


def prepare_classifier(params: Params, model: str) -> None:
    """Write config.json with all options of a section of train_classifier; its weights are initialised when it is trained."""
    write_initial(params, model, params.train_classifier[model])


def write_initial(params: Params, model: str, options: ClassifierSection, put_weights: Put | None = None) -> None:
    """Write models/initial/MODEL/: config.json, and the weights that `put_weights` writes.

    config.json has the classes, all options, a digest of the code of the kind and of its training, the versions of the libraries that
    this code imports, the checksums of all files that the classifier may be trained or tested on and, if its training draws nothing, the
    one seed that it is trained with.
    """
    own = code_of_kind(options)
    with whole_folder(layout.initial(model)) as partial:
        given = put_weights(partial) if put_weights else ()
        weights = f"{', '.join(given)} of {options.init}; the rest random" if given else "random, if it has any"
        config = {
            "model": options.model,
            "classes": list(params.emotions),
            "weights": weights,
            "options": options.model_dump(mode="json"),
            "code": digest(own),
            "libraries": versions_of(own),
            "reads": pool.files_of(options.reads, options.corpora or params.pooled),
        }
        if not options.seeded:  # the other seeds refer to the first: another first one makes them stale
            config["seed"] = params.seeds[0]
        write_json(partial / "config.json", config)
    say(f"initial {model}: {weights}")


def code_of_kind(options: ClassifierSection) -> list[str]:
    """Return the modules of a kind, of its training and of the representations that it reads, sorted."""
    read = (f"features.{name}" for name in options.reads if name in REPRESENTATIONS)
    return closure(f"models.{options.model}", TRAINING, *read)


def prepared(options: ClassifierSection, model: str) -> dict:
    """Return config.json of models/initial/MODEL, after checking it against params.yaml and the files that it lists.

    Raises
    ------
    FinserError
        The options differ from params.yaml, the code is not that of the digest, another version of a library is installed, the weights of
        the encoder are others, or a listed file has changed.
    """
    where = layout.initial(model)
    config = read_json(where / "config.json")
    check_settings(config, options.model_dump(mode="json"), where, "run: dvc repro", "prepared")
    if config.get("code") != digest(code_of_kind(options)):
        raise FinserError("was prepared with other code of the model or its training", where=where / "config.json", do="run: dvc repro")
    check_versions(config.get("libraries", {}), where / "config.json")
    if options.needs_encoder:
        from finser.models.encoder_inputs import check_same_encoder  # needs torch

        check_same_encoder(where, Path(options.init))
    pool.verify(pool.listed_in(config.get("reads"), where / "config.json"), where / "config.json")
    return config
