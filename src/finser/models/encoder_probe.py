"""Logistic regression or an SVM on the statistics of an encoder that stays as published (a probe)."""

import time
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np

from finser.config.sections.classifiers import EncoderProbe, Svm
from finser.errors import FinserError
from finser.features.examples import Examples, check_training_part
from finser.files import write_json
from finser.models.encoder_inputs import ENCODER, Inputs, inputs_of, reader
from finser.models.logistic import Logistic
from finser.models.rbf_svm import SvmClassifier, read_arrays
from finser.progress import track
from finser.scores.metrics import confusion_matrix, uar, wa
from finser.training.record import TrainingRecord

__all__ = ["ProbeClassifier", "begin", "reader"]
ALL = -1  # all layers together


def begin(options: EncoderProbe, n_classes: int, given: Path) -> "ProbeClassifier":
    """Return a probe that is not fitted, on the encoder whose config.json `given` holds."""
    return ProbeClassifier(options, n_classes, *inputs_of(options, given))


@dataclass
class ProbeClassifier:
    """A probe with the interface of all classifiers.

    Attributes
    ----------
    options : EncoderProbe
        The classifier's section of params.yaml.
    n_classes : int
        Number of classes.
    inputs : Inputs
        The statistics that are used.
    encoder : dict
        config.json of the encoder, kept beside the weights.
    layer : int
        The layer that is used, or `ALL`.
    inner : Logistic or SvmClassifier
        What predicts; its arrays are empty before :meth:`solve`.
    found : dict
        What :meth:`solve` chose, for config.json: ``layer``, ``c``, and ``tried``, the validation UAR of each candidate.
    """

    options: EncoderProbe
    n_classes: int
    inputs: Inputs
    encoder: dict
    layer: int = ALL
    inner: Logistic | SvmClassifier | None = None
    found: dict = field(default_factory=dict)

    @property
    def encoder_params(self) -> int:
        """Number of parameters of the encoder."""
        return self.inputs.encoder_params

    @property
    def n_params(self) -> int:
        """Number of fitted coefficients."""
        return self.inner.n_params

    def solve(self, train: Examples, validation: Examples) -> TrainingRecord:
        """Fit every candidate on the training part, and keep the one with the best validation UAR; of equal ones the first.

        Raises
        ------
        FinserError
            There are several candidates and no validation clips to choose by.
        """
        check_training_part(train)
        started, candidates = time.perf_counter(), list(product(self._layers(), self.options.penalties))
        if len(candidates) > 1 and not len(validation):
            do = "name one layer and one value of c"
            raise FinserError("a layer or C cannot be chosen without validation clips", where=f"model {self.options.model}", do=do)
        table, judged = self.inputs.table(train.inputs), self.inputs.table(validation.inputs) if len(validation) else None
        tried, best = [], None
        for layer, c in track(candidates, "layers and C"):
            inner = self._fitted(self._columns(table, layer), train, c)
            record = {"layer": layer, "c": c} | (self._judged(inner, self._columns(judged, layer), validation) if len(validation) else {})
            tried.append(record)
            if best is None or record["validation_uar"] > best["validation_uar"]:
                best, self.layer, self.inner = record, layer, inner
        self.found = {"layer": best["layer"], "c": best["c"], "tried": [_without_wa(one) for one in tried]}
        history = [{"epoch": 1, **{name: value for name, value in best.items() if name.startswith("validation")}}]
        return TrainingRecord(history, time.perf_counter() - started)

    def probabilities(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Return class probabilities, float64, shape (n, classes)."""
        columns = self._columns(self.inputs.table(inputs), self.layer)
        return self.inner.probabilities(columns)

    def receive(self, folder: Path) -> None:
        """Do nothing: a probe has no initial weights."""

    def save(self, folder: Path) -> None:
        """Write the arrays and the layer to model.safetensors, and the encoder's config.json."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(array) for name, array in self.inner.arrays.items()}
        save_file({**arrays, "layer": np.array([self.layer])}, folder / "model.safetensors")
        write_json(folder / ENCODER, self.encoder)

    def restore(self, folder: Path) -> None:
        """Load the probe that was saved in `folder`."""
        arrays = read_arrays(folder / "model.safetensors", self.n_classes)
        self.layer = int(arrays.pop("layer")[0])
        self.inner = self._empty(1.0)
        self.inner.arrays = arrays

    def _layers(self) -> list[int]:
        """Return the layers to try."""
        asked, n_layers = self.options.layer, self.inputs.n_layers
        if isinstance(asked, int):
            if asked >= n_layers:
                where, expected = f"params.yaml, layer of a classifier on {self.options.init}", f"0 to {n_layers - 1}"
                raise FinserError("no such layer", where=where, expected=expected, found=asked)
            return [asked]
        return [ALL] if asked == "all" else list(range(n_layers))

    def _columns(self, table: np.ndarray, layer: int) -> np.ndarray:
        """Return the numbers of a layer, or of all: (n, n_layers, width) -> (n, dim)."""
        return table.reshape(len(table), -1) if layer == ALL else table[:, layer]

    def _empty(self, c: float) -> Logistic | SvmClassifier:
        return Logistic(self.n_classes) if self.options.probe == "logistic" else SvmClassifier(Svm(c=c), self.n_classes)

    def _fitted(self, columns: np.ndarray, train: Examples, c: float) -> Logistic | SvmClassifier:
        inner = self._empty(c)
        if isinstance(inner, Logistic):
            inner.fit(columns, train.targets, c)
        else:
            inner.solve(replace(train, inputs=list(columns)), train.at([]))
        return inner

    def _judged(self, inner: Logistic | SvmClassifier, columns: np.ndarray, validation: Examples) -> dict[str, float]:
        predicted = inner.probabilities(columns).argmax(1)
        confusion = confusion_matrix(validation.targets, predicted, self.n_classes)
        return {"validation_uar": float(uar(confusion)), "validation_wa": float(wa(confusion))}


def _without_wa(record: dict) -> dict:
    return {name: value for name, value in record.items() if name != "validation_wa"}
