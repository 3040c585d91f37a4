"""Confidence intervals of scores, and differences of two models, with test speakers as the unit.

All intervals have the same estimand. The score of a corpus is that of all its test clips, of all folds together. The score of several
corpora is the mean of the corpora's scores, so that a corpus with more clips has no larger weight. With several training seeds a score
is the mean over the seeds.

The variance of a corpus's score is that of the delete-one-speaker jackknife (Efron and Stein 1981; Wu 1986),

    v = (n - 1) / n * sum_i (theta_(i) - mean(theta_(.)))^2,

where theta_(i) is the score without speaker i. The interval is the score plus and minus Student's t times sqrt(v), with n - 1 degrees
of freedom. Over corpora the variances add up, with the degrees of freedom of Welch and Satterthwaite, 1 / sum_h (w_h^2 / (n_h - 1)).
The fraction w_h of the variance that is due to corpus h is uncertain if the corpus has few speakers. The degrees of freedom are therefore
computed twice: from the estimated fractions, and from the mean of these and of the fractions for equally scattered speakers. The smaller
value is used. Clips of one speaker are alike, so clips are not independent samples; speakers are.

``tests/scores/test_intervals.py`` simulates the coverage of UAR for the test sets of all presets but `local`. A percentile
bootstrap over four speakers covers 80 % there where 95 % is claimed. With the estimated fractions alone, RAVDESS, CREMA-D and SAVEE
together give 93 %; with the mean alone, three corpora of few and unlike speakers 92 %.

``scipy.stats.bootstrap`` is not used for this reason, and because it resamples at one level only, clips or speakers, and has no mean over
corpora of unequal numbers of speakers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from finser.scores.metrics import FIGURES, confusion_matrix

FEWEST = 4  # speakers of a corpus; with fewer the interval is too wide to be of use
TIE = 1e-24  # of a variance: scores that differ by 1e-12 are equal, summed in another order


@dataclass(frozen=True)
class Estimate:
    """A score, or a difference of two scores, with its interval.

    Parameters
    ----------
    value : float
        Over all corpora.
    low, high : float or None
        Bounds of the interval. None if no corpus has `FEWEST` speakers, or if the score is the same whichever speaker is left out, as
        with a model that always predicts one class.
    corpora : tuple of str
        Corpora that the interval covers: those with `FEWEST` speakers.
    centre : float or None
        Score over `corpora`: the centre of the interval. It equals `value` if the interval covers all corpora.
    p : float or None
        Two-sided p value of the hypothesis that the value is 0, not corrected for several comparisons. None without an interval.
    """

    value: float
    low: float | None = None
    high: float | None = None
    corpora: tuple[str, ...] = ()
    centre: float | None = None
    p: float | None = None


def per_speaker(truth: np.ndarray, predicted: np.ndarray, speakers: np.ndarray, n_classes: int) -> dict[str, np.ndarray]:
    """Confusion matrices of each speaker.

    Parameters
    ----------
    truth : np.ndarray
        Class numbers, shape (n,), of the clips of all folds.
    predicted : np.ndarray
        Class numbers, shape (n,), or (seeds, n): one row per training seed.
    speakers : np.ndarray
        Speaker of each clip, CORPUS/SPEAKER, shape (n,). A speaker who is tested in several folds is one speaker.
    n_classes : int
        Number of classes, including those without clips.

    Returns
    -------
    dict
        Corpus -> confusion matrices, shape (seeds, speakers, n_classes, n_classes), speakers in the order of their names.
    """
    truth, speakers = np.asarray(truth), np.asarray(speakers)
    seeds = np.atleast_2d(predicted)  # (seeds, n)
    if truth.ndim != 1 or not len(truth) or speakers.shape != truth.shape or not len(seeds) or seeds.shape[1:] != truth.shape:
        raise ValueError(
            "truth and speakers must be of one length n > 0 and predictions of shape (n,) or (seeds, n), "
            f"not {truth.shape}, {speakers.shape} and {np.shape(predicted)}"
        )
    found: dict[str, list[np.ndarray]] = {}
    for name in np.unique(speakers):
        own = speakers == name
        counts = np.stack([confusion_matrix(truth[own], row[own], n_classes) for row in seeds])  # (seeds, c, c)
        found.setdefault(corpus_of(name), []).append(counts)
    return {corpus: np.stack(counts, axis=1) for corpus, counts in found.items()}


def over_seeds(counts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every score of :data:`finser.scores.metrics.FIGURES` for each training seed, the mean over the corpora, shape (seeds,)."""
    return {name: np.mean([figure(one.sum(1)) for one in counts.values()], axis=0) for name, figure in FIGURES.items()}


def estimates(counts: Mapping[str, np.ndarray], confidence: float) -> dict[str, Estimate]:
    """Every score of :data:`finser.scores.metrics.FIGURES` with its interval, within 0 and 1.

    Parameters
    ----------
    counts : Mapping
        From :func:`per_speaker`.
    confidence : float
        Coverage of the interval, between 0 and 1, e.g. 0.95.
    """
    parts = {corpus: _parts(one) for corpus, one in counts.items()}
    return {name: _estimate({corpus: part[name] for corpus, part in parts.items()}, confidence, least=0.0) for name in FIGURES}


def differences(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray], confidence: float) -> dict[str, Estimate]:
    """Every score of model `a` minus that of model `b`, paired by speaker, with interval and p, within -1 and 1.

    A speaker who is hard for both models affects both scores, so that the effect cancels in the difference.

    Parameters
    ----------
    a, b : Mapping
        From :func:`per_speaker`, of the same clips; the numbers of seeds may differ.
    confidence : float
        Coverage of the interval, between 0 and 1, e.g. 0.95.

    Raises
    ------
    ValueError
        The two were not tested on the same corpora, speakers and numbers of clips per class.
    """
    if a.keys() != b.keys() or any(not np.array_equal(a[name][0].sum(-1), b[name][0].sum(-1)) for name in a):
        raise ValueError("the two models were tested on different clips")
    parts = {corpus: _paired(_parts(a[corpus]), _parts(b[corpus])) for corpus in a}
    return {name: _estimate({corpus: part[name] for corpus, part in parts.items()}, confidence, least=-1.0) for name in FIGURES}


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """p values of several comparisons, corrected by Holm's (1979) method. None stays None and is not counted."""
    order = sorted((index for index, p in enumerate(ps) if p is not None), key=lambda index: ps[index])
    corrected, largest = list(ps), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * ps[index]))
        corrected[index] = largest
    return corrected


def covered_by_intervals(counts: Mapping[str, np.ndarray]) -> list[str]:
    """Corpora with at least `FEWEST` test speakers; `counts` as :func:`per_speaker` gives them."""
    return [corpus for corpus, one in counts.items() if one.shape[1] >= FEWEST]


def corpus_of(speaker: object) -> str:
    """Corpus of a speaker, ``ravdess`` of ``ravdess/01``: the text before the first slash; "" without a slash."""
    corpus, slash, _ = str(speaker).partition("/")
    return corpus if slash else ""


@dataclass(frozen=True)
class _Part:
    """Score of one corpus, and the score without each speaker in turn, shape (n,); None with fewer than `FEWEST` speakers."""

    value: float
    without: np.ndarray | None

    @property
    def variance(self) -> float:
        """Variance of the value by the jackknife."""
        n = len(self.without)
        return (n - 1) / n * float(np.square(self.without - self.without.mean()).sum())


def _parts(counts: np.ndarray) -> dict[str, _Part]:
    """Scores of a corpus; `counts` has the shape (seeds, speakers, c, c)."""
    whole = counts.sum(1, keepdims=True)  # (seeds, 1, c, c)
    without = whole - counts if counts.shape[1] >= FEWEST else None  # (seeds, speakers, c, c)
    return {
        name: _Part(float(figure(whole).mean()), None if without is None else figure(without).mean(0)) for name, figure in FIGURES.items()
    }


def _paired(a: Mapping[str, _Part], b: Mapping[str, _Part]) -> dict[str, _Part]:
    parts = {}
    for name in FIGURES:
        without = None if a[name].without is None else a[name].without - b[name].without
        parts[name] = _Part(a[name].value - b[name].value, without)
    return parts


def _estimate(parts: Mapping[str, _Part], confidence: float, least: float) -> Estimate:
    value = float(np.mean([part.value for part in parts.values()]))
    covered = {corpus: part for corpus, part in parts.items() if part.without is not None}
    if not covered:
        return Estimate(value)
    variances = np.array([part.variance for part in covered.values()]) / len(covered) ** 2
    freedom = np.array([len(part.without) - 1 for part in covered.values()])
    centre, corpora = float(np.mean([part.value for part in covered.values()])), tuple(covered)
    total = float(variances.sum())
    if total < TIE:
        return Estimate(value)
    df, error = _degrees_of_freedom(variances / total, freedom), total**0.5
    # the functions behind scipy.stats.t, whose checks of arguments take most of the time of an interval
    half = error * float(stdtrit(df, (1 + confidence) / 2))
    p = 2 * float(stdtr(df, -abs(centre) / error))
    return Estimate(value, max(least, centre - half), min(1.0, centre + half), corpora, centre, p)


def _degrees_of_freedom(fractions: np.ndarray, freedom: np.ndarray) -> float:
    """Degrees of freedom of a sum of variances, from each corpus's fraction of the sum and its degrees of freedom, shape (corpora,)."""
    alike = 1 / (freedom + 1)  # variance of a mean, if all speakers have the same variance
    between = (fractions + alike / alike.sum()) / 2
    return min(float(1 / (one**2 / freedom).sum()) for one in (fractions, between))
