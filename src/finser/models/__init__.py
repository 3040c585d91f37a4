"""Emotion classifiers: an SVM as the floor, networks on statistics, on log-mel spectrograms, on filter banks, on the outputs of FINs.

One module per model. Each has `source(options)`, the input that it needs of a clip, and `begin(options)`, an untrained
:class:`Classifier`. :mod:`finser.classifiers` trains the networks; the SVM solves its own problem.
"""

import json
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from pydantic import ValidationError

from finser import seeds
from finser.config.sections.classifiers import KINDS
from finser.config.sections.classifiers import Classifier as Options
from finser.emotions import EMOTIONS
from finser.errors import FinserError, nearest
from finser.files import read_json


class Classifier(Protocol):
    """What every model can do, beside being trained.

    Attributes
    ----------
    n_params : int
        Numbers that training chooses.
    """

    n_params: int

    def receive(self, folder: Path) -> None:
        """Take the initial weights in `folder`, if the options name any (``init``)."""

    def probabilities(self, inputs: list[Any]) -> np.ndarray:
        """Float64, shape (n, 8), in the order of ``EMOTIONS``; each row sums to 1."""

    def save(self, folder: Path) -> None:
        """Write model.safetensors, all that was learned, into `folder`."""

    def restore(self, folder: Path) -> None:
        """Be what was saved in `folder`."""


def module_of(options: Options) -> ModuleType:
    """The module of a model, imported only now, because it may need torch."""
    return import_module(f"finser.models.{options.model}")


def begin(options: Options, names: tuple) -> Classifier:
    """An untrained classifier, whose random weights are a function of `names`, whatever was drawn before."""
    module = module_of(options)
    if options.model == "svm":  # has no weights to draw, and needs no torch
        return module.begin(options)
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.seed_for(*names, "initial"))
        return module.begin(options)


def load(folder: Path) -> tuple[Classifier, dict]:
    """A trained classifier and its config.json.

    Raises
    ------
    FinserError
        No such folder, files that are not readable, or a model of other classes or of an unknown kind.
    """
    config = read_json(folder / "config.json")
    if tuple(config.get("classes", ())) != EMOTIONS:
        raise FinserError("a model of other classes", where=folder, expected=", ".join(EMOTIONS), found=config.get("classes"))
    kind = config.get("options", {}).get("model")
    if kind not in KINDS:
        raise FinserError(f"unknown model '{kind}'", where=folder, do=nearest(str(kind), KINDS))
    try:
        options = KINDS[kind].model_validate_json(json.dumps(config["options"]))  # as `params.validate`: lists for tuples
    except ValidationError as error:
        first = error.errors()[0]
        what = f"options of another version of finser ({'.'.join(map(str, first['loc']))}: {first['msg']})"
        raise FinserError(what, where=folder / "config.json", do="train it again: dvc repro") from None
    classifier = begin(options, ())
    classifier.restore(folder)
    return classifier, config
