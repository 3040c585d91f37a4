"""Figures of merit from confusion matrices, and their intervals by resampling speakers.

All functions of a confusion matrix take any number of leading axes, shape (..., n_classes, n_classes), rows = truth,
columns = prediction, so that a thousand resamplings are one call.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TIE = 1e-12  # figures that differ by less are the same figure, summed in another order


@dataclass(frozen=True)
class Difference:
    """A figure of one model less that of another, from :func:`paired_bootstrap`.

    Parameters
    ----------
    difference : float
        On the clips as they are, -1 to 1.
    low, high : float or None
        Bounds of the percentile interval; None where no corpus has two speakers.
    p : float or None
        Two-sided bootstrap p value of "no difference", above 0 and at most 1; None where no corpus has two speakers.
    """

    difference: float
    low: float | None
    high: float | None
    p: float | None


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

    A class that is only predicted lowers the F1 of the others, as a miss of theirs, but is not averaged itself.
    """
    return _mean_of_present(f1s(confusion))


FIGURES = {"uar": uar, "wa": wa, "f1_macro": f1_macro}


def mean_over_seeds(confusions: np.ndarray) -> dict[str, np.ndarray]:
    """Mean of each of :data:`FIGURES` over training seeds: the figure is taken per seed, then averaged.

    Parameters
    ----------
    confusions : np.ndarray
        One confusion matrix per seed, shape (seeds, ..., n_classes, n_classes).

    Returns
    -------
    dict
        Per figure an array of shape (...).
    """
    return {name: figure(confusions).mean(0) for name, figure in FIGURES.items()}


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

    Clips of one speaker are alike, so clips are no independent sample; speakers are. They are drawn within each corpus
    (:func:`corpus_of`), as many as it has: which corpora are tested, and with how many speakers, is a choice and no
    sample. A corpus with one test speaker thus contributes no scatter. A resampling that lacks a class averages over the
    classes that it has.

    The intervals say what other speakers of these corpora would give, but not under ``random``, where the test speakers
    were trained on, too; nor what another corpus would, and with few speakers they are too narrow. With several training
    seeds they are those of the mean over these seeds: every seed is read on the same resampled speakers. Seeds are not
    resampled, so what another training would give is not in the intervals either.

    Parameters
    ----------
    truth : np.ndarray
        Class numbers, shape (n,).
    predicted : np.ndarray
        Class numbers, shape (n,), or (seeds, n): one row per training seed.
    speakers : np.ndarray
        Speaker of each clip, CORPUS/SPEAKER, shape (n,).
    n_classes : int
        Number of classes, present or not.
    resamplings : int
        Number of resamplings, 1 or more.
    confidence : float
        Share of the resamplings inside the interval, 0 to 1, e.g. 0.95.
    rng : np.random.Generator
        Draws the speakers; the same state gives the same speakers, whatever was predicted.

    Returns
    -------
    dict
        Per figure ``(low, high)``; None where no corpus has two speakers: one tells nothing about others.
    """
    fold = (truth, predicted, speakers)
    return bootstrap_of_folds([fold], n_classes, resamplings=resamplings, confidence=confidence, rng=rng)


def bootstrap_of_folds(
    folds: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    n_classes: int,
    *,
    resamplings: int,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, tuple[float, float] | None]:
    """Percentile intervals of the mean over folds of each of :data:`FIGURES`; what :func:`bootstrap` says holds here.

    Speakers are drawn within each fold and corpus; the figures of each fold are taken, then averaged. Folds that test the
    same speakers of a corpus, as under ``random``, are read on the same draws. Where folds share some of a corpus's
    speakers only, they are drawn as if they were others, and the interval is too narrow.

    Parameters
    ----------
    folds : sequence of tuple
        Truth, predictions and speakers of each fold, as :func:`bootstrap` takes them.
    n_classes, resamplings, confidence, rng
        As in :func:`bootstrap`.

    Returns
    -------
    dict
        Per figure ``(low, high)``; None if in any of the folds no corpus has two speakers.
    """
    names = [np.unique(speakers) for _, _, speakers in folds]
    per_speaker = [_per_speaker(*fold, n_classes) for fold in folds]  # (seeds, s, c, c) each
    if not all(map(_scatter, names)):
        return dict.fromkeys(FIGURES)
    drawn = _draws(names, resamplings, rng)
    figures = [_resampled_figures(confusions, times) for confusions, times in zip(per_speaker, drawn, strict=True)]
    return {name: _interval(np.mean([one[name] for one in figures], axis=0), confidence) for name in FIGURES}


def paired_bootstrap(
    truth: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    speakers: np.ndarray,
    n_classes: int,
    *,
    resamplings: int,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, Difference]:
    """Difference of each of :data:`FIGURES` between two models that are read on the same resampled speakers.

    What makes a speaker hard is hard for both models and cancels, so the interval of the difference is narrower than
    the two models' own intervals suggest (Bisani and Ney 2004). With several training seeds a model's figure is the
    mean over its seeds. What :func:`bootstrap` says of corpora, ``random``, few speakers and other trainings holds here.

    p is twice the smaller of the shares of resamplings at most 0 and at least 0, at most 1: about the 1 - confidence at
    which the interval begins to hold 0. Both counts are one too many, (count + 1) / (resamplings + 1), so that p is
    never 0 (Davison and Hinkley 1997, 4.2): the least p that can be seen is 2 / (resamplings + 1).

    **Several folds at once**: concatenate the folds' clips, and, with seeds, each seed's predictions, along n. The
    figures are then those of all folds' clips in one confusion matrix per seed, not the mean of the folds' figures. A
    speaker who is tested in one fold only is thereby one independent draw. Where a corpus has fewer test groups than
    there are folds, a speaker is tested more than once: all these clips stay together under the one name, so the
    interval remains right, but the speaker weighs more. Two speakers must never share a name, in or across corpora.

    Parameters
    ----------
    truth, speakers, n_classes, resamplings, confidence
        As in :func:`bootstrap`.
    a, b : np.ndarray
        Class numbers that the two models predict for these clips in this order, each of shape (n,) or (seeds, n); the
        numbers of seeds may differ.
    rng : np.random.Generator
        Draws the speakers, the same ones as :func:`bootstrap` does from the same state.

    Returns
    -------
    dict
        Per figure that of `a` less that of `b`; interval and p are None where no corpus has two speakers.
    """
    of_a, of_b = (_per_speaker(truth, predicted, speakers, n_classes) for predicted in (a, b))  # (seeds, s, c, c)
    whole_a, whole_b = (mean_over_seeds(per_speaker.sum(1)) for per_speaker in (of_a, of_b))
    differences = {name: float(whole_a[name] - whole_b[name]) for name in FIGURES}
    names = np.unique(speakers)
    if not _scatter(names):
        return {name: Difference(difference, None, None, None) for name, difference in differences.items()}
    (times,) = _draws([names], resamplings, rng)
    figures_a, figures_b = _resampled_figures(of_a, times), _resampled_figures(of_b, times)
    resampled = {name: figures_a[name] - figures_b[name] for name in FIGURES}
    return {name: Difference(differences[name], *_interval(drawn, confidence), _p_value(drawn)) for name, drawn in resampled.items()}


def corpus_of(speaker: object) -> str:
    """Corpus of a speaker, ``ravdess`` of ``ravdess/01``: what stands before the first slash; "" where there is none."""
    corpus, slash, _ = str(speaker).partition("/")
    return corpus if slash else ""


def _per_speaker(truth: np.ndarray, predicted: np.ndarray, speakers: np.ndarray, n_classes: int) -> np.ndarray:
    """Confusion of each seed and speaker, shape (seeds, speakers, n_classes, n_classes)."""
    truth, speakers = np.asarray(truth), np.asarray(speakers)
    seeds = np.atleast_2d(predicted)  # (seeds, n)
    if truth.ndim != 1 or speakers.shape != truth.shape or seeds.ndim != 2 or not len(seeds) or seeds.shape[1] != len(truth):
        raise ValueError(
            "truth and speakers must be of one length n and predictions of shape (n,) or (seeds, n), "
            f"not {truth.shape}, {speakers.shape} and {np.shape(predicted)}"
        )
    names, which = np.unique(speakers, return_inverse=True)
    clips = [which == number for number in range(len(names))]
    confusions = [confusion_matrix(truth[mask], row[mask], n_classes) for row in seeds for mask in clips]
    return np.reshape(confusions, (len(seeds), len(names), n_classes, n_classes))


def _scatter(names: np.ndarray) -> bool:
    """Whether resampling these speakers can change anything: some corpus has two of them."""
    return len({corpus_of(name) for name in names}) < len(names)


def _draws(folds: Sequence[np.ndarray], resamplings: int, rng: np.random.Generator) -> list[np.ndarray]:
    """How often each of a fold's speakers is drawn, as many per corpus as there are, shape (resamplings, speakers) per fold."""
    drawn: dict[tuple, np.ndarray] = {}
    result = []
    for names in folds:
        corpora = np.array([corpus_of(name) for name in names])
        times = np.empty((resamplings, len(names)), np.int64)
        for corpus in np.unique(corpora):
            own = corpora == corpus
            group, n = tuple(names[own].tolist()), int(own.sum())
            if group not in drawn:  # the same speakers again are the same draws: they are no others
                drawn[group] = rng.multinomial(n, np.full(n, 1 / n), size=resamplings)
            times[:, own] = drawn[group]
        result.append(times)
    return result


def _resampled_figures(per_speaker: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
    """Mean over seeds of each figure under each resampling, shape (resamplings,) each."""
    seeds, n_speakers, n_classes, _ = per_speaker.shape
    resampled = times @ per_speaker.reshape(seeds, n_speakers, -1)  # (seeds, resamplings, c * c)
    return mean_over_seeds(resampled.reshape(seeds, len(times), n_classes, n_classes))


def _interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _p_value(differences: np.ndarray) -> float:
    least = min((differences <= TIE).sum(), (differences >= -TIE).sum())
    return min(1.0, float(2 * (least + 1) / (len(differences) + 1)))


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
