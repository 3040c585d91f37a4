"""Scores from confusion matrices; finser.scores.intervals has their confidence intervals.

All functions of a confusion matrix take any number of leading axes, shape (..., n_classes, n_classes), rows = truth,
columns = prediction.

They replace ``sklearn.metrics``, whose functions take the labels of one test set at a time: the jackknife needs the score of a confusion
matrix without each speaker in turn. Importing scikit-learn also costs about .5 s of CPU time per job. Tests compare both.
"""

import numpy as np


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Confusion matrix of predictions.

    Parameters
    ----------
    truth, predicted : np.ndarray
        Class numbers 0 .. n_classes - 1, shape (n,).
    n_classes : int
        Number of classes, including those without clips.

    Returns
    -------
    np.ndarray
        int64, shape (n_classes, n_classes): rows = truth, columns = prediction.
    """
    truth, predicted = np.asarray(truth, np.int64), np.asarray(predicted, np.int64)
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(f"truth and prediction must be of one length, not {truth.shape} and {predicted.shape}")
    if not all(np.isin(numbers, np.arange(n_classes)).all() for numbers in (truth, predicted)):
        raise ValueError(f"class numbers must lie in 0 .. {n_classes - 1}")
    return np.bincount(truth * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def recalls(confusion: np.ndarray) -> np.ndarray:
    """Recall per class, shape (..., n_classes); NaN for a class that is not in the truth."""
    confusion = np.asarray(confusion, float)
    return _ratio(_hits(confusion), confusion.sum(-1))


def uar(confusion: np.ndarray) -> np.ndarray:
    """Unweighted average recall: mean recall of the classes in the truth (scikit-learn's ``balanced_accuracy_score``)."""
    return _mean_of_present(recalls(confusion))


def wa(confusion: np.ndarray) -> np.ndarray:
    """Weighted accuracy: the fraction of clips that are recognised (scikit-learn's ``accuracy_score``)."""
    confusion = np.asarray(confusion, float)
    return _ratio(_hits(confusion).sum(-1), confusion.sum((-2, -1)))


def precisions(confusion: np.ndarray) -> np.ndarray:
    """Precision per class, shape (..., n_classes); 0 for a class that is never predicted, NaN for one that is not in the truth."""
    confusion = np.asarray(confusion, float)
    return _of_present(confusion, _ratio(_hits(confusion), confusion.sum(-2), empty=0.0))


def f1s(confusion: np.ndarray) -> np.ndarray:
    """F1 per class, shape (..., n_classes): harmonic mean of precision and recall; NaN for a class that is not in the truth."""
    confusion = np.asarray(confusion, float)
    return _of_present(confusion, _ratio(2 * _hits(confusion), confusion.sum(-1) + confusion.sum(-2)))


def f1_macro(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes in the truth: ``f1_score(labels=present, average="macro", zero_division=0)`` of scikit-learn.

    A class that is predicted but not in the truth lowers the recall of the others. It is not averaged itself.
    """
    return _mean_of_present(f1s(confusion))


FIGURES = {"uar": uar, "wa": wa, "f1_macro": f1_macro}


def _hits(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(part: np.ndarray, whole: np.ndarray, empty: float = np.nan) -> np.ndarray:
    """part / whole, and `empty` where `whole` is zero."""
    return np.divide(part, whole, out=np.full(np.shape(part), empty), where=whole > 0)


def _of_present(confusion: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Scores per class, NaN for a class that is not in the truth."""
    return np.where(confusion.sum(-1) > 0, scores, np.nan)


def _mean_of_present(scores: np.ndarray) -> np.ndarray:
    present = ~np.isnan(scores)
    return _ratio(np.where(present, scores, 0.0).sum(-1), present.sum(-1))
