"""Figures of merit from confusion matrices, and their intervals by resampling speakers.

All functions of a confusion matrix take any number of leading axes, shape (..., n_classes, n_classes), rows = truth,
columns = prediction, so that a thousand resamplings are one call.
"""

import numpy as np


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Count pairs of classes.

    Parameters
    ----------
    truth, predicted : np.ndarray
        Class numbers 0 .. n_classes - 1, shape (n,).
    n_classes : int
        Number of classes, present or not.

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
    """Weighted accuracy: the share of clips that are right (scikit-learn's ``accuracy_score``)."""
    confusion = np.asarray(confusion, float)
    return _ratio(_hits(confusion).sum(-1), confusion.sum((-2, -1)))


def f1_macro(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes in the truth: ``f1_score(labels=present, average="macro", zero_division=0)`` of scikit-learn.

    A class that is only predicted lowers the F1 of the others, as a miss of theirs, but is not averaged itself.
    """
    confusion = np.asarray(confusion, float)
    truth, predicted = confusion.sum(-1), confusion.sum(-2)
    scores = _ratio(2 * _hits(confusion), truth + predicted)
    return _mean_of_present(np.where(truth > 0, scores, np.nan))


FIGURES = {"uar": uar, "wa": wa, "f1_macro": f1_macro}


def bootstrap(
    truth: np.ndarray,
    predicted: np.ndarray,
    speakers: np.ndarray,
    n_classes: int,
    *,
    resamplings: int,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, tuple[float, float] | None]:
    """Percentile intervals of :data:`FIGURES` under resampling of the test speakers with replacement.

    Clips of one speaker are alike, so clips are no independent sample; speakers are. A resampling that lacks a class
    averages over the classes that it has. The intervals say what other speakers of these corpora would give; not what
    another training or another corpus would, and with few speakers they are too narrow.

    Parameters
    ----------
    truth, predicted : np.ndarray
        Class numbers, shape (n,).
    speakers : np.ndarray
        Speaker of each clip, shape (n,).
    resamplings : int
        Number of resamplings, 1 or more.
    confidence : float
        Share of the resamplings inside the interval, 0 to 1, e.g. 0.95.

    Returns
    -------
    dict
        Per figure ``(low, high)``; None with fewer than two speakers, which tell nothing about others.
    """
    names, which = np.unique(np.asarray(speakers), return_inverse=True)
    if len(names) < 2:
        return dict.fromkeys(FIGURES)
    per_speaker = np.stack([confusion_matrix(truth[which == s], predicted[which == s], n_classes) for s in range(len(names))])  # (s, c, c)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamplings)  # (resamplings, s)
    resampled = (times @ per_speaker.reshape(len(names), -1)).reshape(resamplings, n_classes, n_classes)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    bounds = {name: np.quantile(figure(resampled), tails) for name, figure in FIGURES.items()}
    return {name: (float(low), float(high)) for name, (low, high) in bounds.items()}


def _hits(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where `whole` is zero."""
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)


def _mean_of_present(scores: np.ndarray) -> np.ndarray:
    present = ~np.isnan(scores)
    return _ratio(np.where(present, scores, 0.0).sum(-1), present.sum(-1))
