"""An RBF SVM on vectors, z-scored on the training part: the baseline, and a probe on an encoder.

scikit-learn fits the SVM. It is stored as plain arrays, and NumPy computes its predictions, because scikit-learn saves estimators as
pickles, which run code when they are loaded. skops or ONNX would save the 40 lines of the decision function here, at the cost of a
dependency of every environment. Tests compare each decision with scikit-learn's ``decision_function``.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from finser.config.sections.classifiers import Svm
from finser.errors import FinserError
from finser.features.examples import Examples, check_training_part
from finser.models import readable_model
from finser.scores.metrics import confusion_matrix, uar, wa
from finser.training.record import TrainingRecord

CHUNK = 1024  # clips per prediction batch


@dataclass
class SvmClassifier:
    """One-vs-one RBF SVM.

    Attributes
    ----------
    options : Svm
        The classifier's section of params.yaml.
    n_classes : int
        Number of classes, with those that no training clip has.
    arrays : dict
        ``mean`` and ``scale`` (dim,) of the training inputs; ``support`` (n_support, dim) z-scored support vectors;
        ``dual`` (seen - 1, n_support), ``intercept`` (pairs,), ``n_support`` (seen,), ``classes`` (seen,) class numbers of the
        training clips, ``gamma`` (1,). All float64 or int64; empty before :meth:`solve`.
    """

    options: Svm
    n_classes: int
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def n_params(self) -> int:
        """Number of dual coefficients and intercepts."""
        return self.arrays["dual"].size + self.arrays["intercept"].size

    def solve(self, train: Examples, validation: Examples) -> TrainingRecord:
        """Fit scikit-learn's ``StandardScaler`` and ``SVC(C=options.c, gamma="scale", break_ties=True)``; nothing is random."""
        check_training_part(train)
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        if len(set(train.targets.tolist())) < 2:
            raise FinserError("an SVM needs two emotions or more to train on", found=train.classes[train.targets[0]])
        started = time.perf_counter()
        scaler = StandardScaler().fit(np.stack(train.inputs).astype(np.float64))
        svc = SVC(C=self.options.c, kernel="rbf", gamma="scale", break_ties=True)
        svc.fit(scaler.transform(np.stack(train.inputs).astype(np.float64)), train.targets)
        sign = -1.0 if len(svc.classes_) == 2 else 1.0  # scikit-learn negates the coefficients of a two-class SVM
        self.arrays = {
            "mean": scaler.mean_,
            "scale": scaler.scale_,
            "support": svc.support_vectors_,
            "dual": sign * svc.dual_coef_,
            "intercept": sign * svc.intercept_,
            "n_support": svc.n_support_.astype(np.int64),
            "classes": svc.classes_.astype(np.int64),
            "gamma": np.array([svc._gamma]),
        }
        history = [{"epoch": 1}]  # fitted in one call, without epochs: one record, without a loss
        if len(validation):
            confusion = confusion_matrix(validation.targets, self.probabilities(validation.inputs).argmax(1), self.n_classes)
            history[0] |= {"validation_uar": float(uar(confusion)), "validation_wa": float(wa(confusion))}
        return TrainingRecord(history, time.perf_counter() - started)

    def probabilities(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Return the softmax of the one-vs-rest decision values, shape (n, classes).

        The values rank the classes, and are not calibrated. Classes without training clips have probability 0.
        """
        decision = self.decision_function(np.stack(inputs))
        powers = np.exp(decision - decision.max(1, keepdims=True))
        result = np.zeros((len(inputs), self.n_classes))
        result[:, self.arrays["classes"]] = powers / powers.sum(1, keepdims=True)
        return result

    def decision_function(self, inputs: np.ndarray) -> np.ndarray:
        """Return the votes of the pairwise SVMs plus a third of their squashed confidences, as scikit-learn's ``ovr`` shape.

        Parameters
        ----------
        inputs : np.ndarray
            Vectors of clips that are not normalised, shape (n, dim).

        Returns
        -------
        np.ndarray
            float64, shape (n, seen), in the order of ``arrays["classes"]``.
        """
        scaled = (np.asarray(inputs, np.float64) - self.arrays["mean"]) / self.arrays["scale"]
        return np.concatenate([self._decision(scaled[first : first + CHUNK]) for first in range(0, len(scaled), CHUNK)])

    def save(self, folder: Path) -> None:
        """Write the arrays to model.safetensors."""
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(array) for name, array in self.arrays.items()}, folder / "model.safetensors")

    def receive(self, folder: Path) -> None:
        """Do nothing: an SVM has no initial weights."""

    def restore(self, folder: Path) -> None:
        """Load the SVM that was saved in `folder`; errors as in :func:`finser.models.load`."""
        self.arrays = read_arrays(folder / "model.safetensors", self.n_classes)

    def _decision(self, scaled: np.ndarray) -> np.ndarray:
        kernel = _rbf(scaled, self.arrays["support"], float(self.arrays["gamma"][0]))  # (n, n_support)
        seen = len(self.arrays["classes"])
        votes, confidence = np.zeros((2, len(scaled), seen))
        for (i, j), value in zip(_pairs(seen), self._pairwise(kernel), strict=True):
            votes[:, i] += value >= 0
            votes[:, j] += value < 0
            confidence[:, i] += value
            confidence[:, j] -= value
        return votes + confidence / (3 * (np.abs(confidence) + 1))

    def _pairwise(self, kernel: np.ndarray) -> list[np.ndarray]:
        """Return the decision value of each pair of classes (positive: the first), from libsvm's layout of dual coefficients."""
        ends = np.cumsum(self.arrays["n_support"])
        of = [slice(end - count, end) for end, count in zip(ends, self.arrays["n_support"], strict=True)]
        dual, intercept = self.arrays["dual"], self.arrays["intercept"]
        return [
            kernel[:, of[i]] @ dual[j - 1, of[i]] + kernel[:, of[j]] @ dual[i, of[j]] + intercept[pair]
            for pair, (i, j) in enumerate(_pairs(len(of)))
        ]


def read_arrays(path: Path, n_classes: int) -> dict[str, np.ndarray]:
    """Read the arrays of a model of `n_classes` classes; errors as in :func:`finser.models.load`."""
    from safetensors.numpy import load_file

    with readable_model(path):
        arrays = load_file(path)
    highest = int(arrays["classes"].max())
    if highest >= n_classes:
        what, expected = "weights of a class that config.json lacks", f"class numbers less than {n_classes}"
        raise FinserError(what, where=path, expected=expected, found=highest, do="delete the folder and run: dvc repro")
    return arrays


def _pairs(count: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(count) for j in range(i + 1, count)]


def _rbf(a: np.ndarray, b: np.ndarray, gamma: float) -> np.ndarray:
    """Return exp(-gamma |a - b|^2) of every pair of rows, shape (len(a), len(b))."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    return np.exp(-gamma * np.maximum(squares, 0))
