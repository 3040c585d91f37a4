"""Emotion classifiers: an SVM as the baseline, and networks on statistics, spectrograms, filter banks, FIN outputs, or encoders of speech.

One module per model. Each has `reader(options)`, which returns the :class:`finser.features.rows.Reader` of its inputs, and
`begin(options, n_classes)`, which returns an untrained :class:`Classifier`; on an encoder, a third argument is the folder with its
description. :mod:`finser.classifiers` trains the networks; scikit-learn fits SVMs and probes.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from pydantic import ValidationError

from finser import seeds
from finser.config.sections.classifiers import KINDS, ClassifierSection
from finser.errors import FinserError, nearest
from finser.files import read_json


class Classifier(Protocol):
    """Interface of all models, apart from training.

    Attributes
    ----------
    n_params : int
        Number of trained parameters.
    found : dict
        Of classifiers on an encoder alone: the weights of its layers, or the layer and C that a probe chose.
    encoder_params : int
        Of classifiers on an encoder alone: number of parameters of the encoder.
    """

    n_params: int

    def receive(self, folder: Path) -> None:
        """Load the initial weights from `folder`, if the options name any (``init``)."""

    def probabilities(self, inputs: list[Any]) -> np.ndarray:
        """Return class probabilities, float64, shape (n, classes), in the order of the classes; each row sums to 1."""

    def save(self, folder: Path) -> None:
        """Write all trained parameters to `folder` as model.safetensors."""

    def restore(self, folder: Path) -> None:
        """Load the parameters that :meth:`save` wrote to `folder`."""


@contextmanager
def readable_model(path: Path) -> Iterator[None]:
    """Convert errors about a missing or damaged model.safetensors to one line."""
    from safetensors import SafetensorError

    try:
        yield
    except FileNotFoundError:
        raise FinserError("no such file", where=path, do="run: dvc repro") from None
    except SafetensorError as error:
        raise FinserError(f"not a readable model ({error})", where=path, do="delete the folder and run: dvc repro") from None


def module_of(options: ClassifierSection) -> ModuleType:
    """Import the module of a model. The import is deferred, because the module may need torch."""
    return import_module(f"finser.models.{options.model}")


def begin(options: ClassifierSection, names: tuple, n_classes: int, folder: Path | None = None) -> Classifier:
    """Return an untrained classifier. Its random weights depend on `names` alone, not on earlier draws.

    Parameters
    ----------
    options : ClassifierSection
        The classifier's section of params.yaml.
    names : tuple
        Seed names.
    n_classes : int
        Number of classes.
    folder : Path, optional
        models/initial/NAME, or the folder of the trained classifier. Needed by classifiers on an encoder, which it describes.
    """
    make = module_of(options).begin
    make = partial(make, options, n_classes, folder) if options.needs_encoder else partial(make, options, n_classes)
    if not options.by_gradient:  # it has no random weights
        return make()
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.seed_for(*names, "initial"))
        return make()


def load(folder: Path) -> tuple[Classifier, dict]:
    """Load a trained classifier and its config.json; its classes are those that config.json names.

    Raises
    ------
    FinserError
        The folder is missing, a file is not readable, or the model has no classes or is of an unknown kind.
    """
    config = read_json(folder / "config.json")
    classes = config.get("classes")
    if not isinstance(classes, list) or len(set(map(str, classes))) < max(2, len(classes)):
        where, do = folder / "config.json", "train it again: dvc repro"
        raise FinserError("no classes", where=where, expected="a list of two or more, each once", found=classes, do=do)
    kind = config.get("options", {}).get("model")
    if kind not in KINDS:
        raise FinserError(f"unknown model '{kind}'", where=folder, do=nearest(str(kind), KINDS))
    try:
        options = KINDS[kind].model_validate_json(json.dumps(config["options"]))  # as `params.validate`: lists for tuples
    except ValidationError as error:
        first = error.errors()[0]
        what = f"options of another version of finser ({'.'.join(map(str, first['loc']))}: {first['msg']})"
        raise FinserError(what, where=folder / "config.json", do="train it again: dvc repro") from None
    classifier = begin(options, (), len(classes), folder)
    classifier.restore(folder)
    return classifier, config
