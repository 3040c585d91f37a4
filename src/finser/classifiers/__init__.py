"""Emotion classifiers: an SVM as the floor, a dense network on statistics, a temporal network on the outputs of FINs.

One module per model. Each has `SOURCE` (what it is given), `initial(params, folder)` (writes what training begins from) and
`load(folder)`, which returns a :class:`Classifier`; stages and prediction know nothing else of a model.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from finser.emotions import EMOTIONS
from finser.errors import FinserError, nearest
from finser.files import read_json

MODULES = {name: f"finser.classifiers.{name}" for name in ("svm", "mlp", "fin_ensemble")}


class Classifier(Protocol):
    """What every model can do.

    Attributes
    ----------
    n_params : int
        Numbers that training chooses.
    """

    n_params: int

    def fit(self, train: Any, validation: Any, options: Any, names: tuple) -> list[dict]:
        """Learn from `train` (and look at `validation`), every draw a function of `names`; returns one record per epoch."""

    def probabilities(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Float64, shape (n, 8), in the order of ``EMOTIONS``; each row sums to 1."""

    def save(self, folder: Path) -> None:
        """Write model.safetensors, all that was learned, into `folder`."""


def module_of(model: str) -> ModuleType:
    """The module of a model, imported only now, because it may need torch."""
    if model not in MODULES:
        raise FinserError(f"unknown model '{model}'", do=nearest(model, MODULES))
    return import_module(MODULES[model])


def load(folder: Path) -> tuple[Classifier, dict]:
    """A classifier, initial or trained, and its config.json.

    Raises
    ------
    FinserError
        No such folder, files that are not readable, or a model of other classes.
    """
    config = read_json(folder / "config.json")
    if tuple(config.get("classes", ())) != EMOTIONS:
        raise FinserError("a model of other classes", where=folder, expected=", ".join(EMOTIONS), found=config.get("classes"))
    return module_of(config["model"]).load(folder), config
