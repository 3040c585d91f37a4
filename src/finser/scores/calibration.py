"""Calibration of probabilities: negative log-likelihood, reliability, and temperature scaling.

Probabilities are of shape (n, n_classes), each row >= 0 with sum 1; truth is class numbers of shape (n,). An exact zero is
allowed: a classifier gives it to a class that it was not trained on. :func:`rescale` leaves it zero. :func:`nll` clips it to
:data:`FLOOR`, so that the loss stays finite.

These functions replace those of scikit-learn: importing it costs about .5 s of CPU time per job, its ``calibration_curve`` is for two
classes only, and its temperature scaling (``CalibratedClassifierCV``) calibrates an estimator, not stored probabilities. Tests compare
:func:`nll` with its ``log_loss``.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, softmax

FLOOR = float(np.finfo(np.float64).eps)  # 2.2e-16, as scikit-learn's log_loss clips: 36 nats
COLDEST, HOTTEST = 1 / 20, 20.0  # bounds of the search for a temperature
SUM_TOLERANCE = 1e-4  # rows of a float32 softmax sum to 1 within 1e-6


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability diagram, one entry per bin of confidence.

    Parameters
    ----------
    count : np.ndarray
        Number of clips, int64, shape (bins,).
    confidence : np.ndarray
        Mean confidence of the bin's clips, 0 to 1, shape (bins,); NaN in an empty bin.
    accuracy : np.ndarray
        Fraction of the bin's clips that are predicted right, 0 to 1, shape (bins,); NaN in an empty bin.
    """

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def nll(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean negative log-likelihood of the true class in nats, 0 to 36: scikit-learn's ``log_loss``.

    Parameters
    ----------
    probabilities : np.ndarray
        Shape (n, n_classes); a probability of the truth below :data:`FLOOR` counts as :data:`FLOOR`.
    truth : np.ndarray
        Class numbers, shape (n,).
    """
    return float(-np.log(np.maximum(of_truth(probabilities, truth), FLOOR)).mean())


def reliability(probabilities: np.ndarray, truth: np.ndarray, bins: int = 15) -> Reliability:
    """Mean confidence and accuracy of the clips of each bin of confidence (Guo et al. 2017, section 2).

    Confidence is the largest probability of a clip. Its class is the prediction; of equal probabilities the first.

    Parameters
    ----------
    probabilities : np.ndarray
        Shape (n, n_classes).
    truth : np.ndarray
        Class numbers, shape (n,).
    bins : int
        Number of bins of equal width, 1 or more: (0, 1 / bins], (1 / bins, 2 / bins] and so on to 1.

    Returns
    -------
    Reliability
        Arrays of shape (bins,).
    """
    if bins < 1:
        raise ValueError(f"there must be 1 bin or more, not {bins}")
    probabilities = as_probabilities(probabilities)
    right = probabilities.argmax(1) == _class_numbers(truth, probabilities.shape)
    confidence = probabilities.max(1)
    upper = np.arange(1, bins + 1) / bins
    which = np.minimum(np.searchsorted(upper, confidence), bins - 1)  # a float32 softmax may give 1 + 1e-7
    count = np.bincount(which, minlength=bins)
    sums = [np.bincount(which, weights=values, minlength=bins) for values in (confidence, right)]
    return Reliability(count, *(np.divide(total, count, out=np.full(bins, np.nan), where=count > 0) for total in sums))


def expected_calibration_error(probabilities: np.ndarray, truth: np.ndarray, bins: int = 15) -> float:
    """ECE, 0 to 1: mean over clips of the distance between accuracy and confidence of their bin (Guo et al. 2017, equation 3).

    The distance of a bin with few clips is mostly chance and never negative. The ECE of few clips is therefore too large even for
    a perfectly calibrated model (Roelofs et al. 2022). Compare models only on the same clips and bins. :func:`nll` needs no bins.

    Parameters
    ----------
    probabilities : np.ndarray
        Shape (n, n_classes).
    truth : np.ndarray
        Class numbers, shape (n,).
    bins : int
        Number of bins of equal width, 1 or more.
    """
    found = reliability(probabilities, truth, bins)
    filled = found.count > 0
    return float(np.average(np.abs(found.accuracy - found.confidence)[filled], weights=found.count[filled]))


def temperature_of(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """:func:`temperature` of the clips whose true class has a probability above 0; 1 if there is none.

    A zero stays zero under every temperature (:func:`rescale`). The loss of such a clip does not depend on T, so the clip is left out.
    Example: an emotion that the classifier was not trained on.

    Parameters
    ----------
    probabilities : np.ndarray
        Shape (n, n_classes).
    truth : np.ndarray
        Class numbers, shape (n,).
    """
    known = of_truth(probabilities, truth) > 0
    return temperature(_logarithms(probabilities)[known], np.asarray(truth)[known]) if known.any() else 1.0


def temperature(log_probabilities: np.ndarray, truth: np.ndarray) -> float:
    """T > 0 that minimises the NLL of softmax(log_probabilities / T): temperature scaling (Guo et al. 2017, section 4.2).

    Fit it on validation clips, never on test clips. T above 1 means that the model is overconfident. The NLL is convex in 1 / T,
    so it has one minimum. A T at a bound, 1/20 or 20, means that the clips do not determine it: if all clips are predicted right,
    the best T is 0. If no T is better than 1, for example because every row is uniform, T is 1.

    Parameters
    ----------
    log_probabilities : np.ndarray
        Shape (n, n_classes), up to a constant per row, so logits are allowed; -inf for a class that the model was not trained on.
    truth : np.ndarray
        Class numbers, shape (n,).

    Raises
    ------
    ValueError
        A value is NaN or +inf, or the true class of a clip has -inf, which no temperature changes. :func:`temperature_of` leaves
        such clips out.
    """
    logs = np.asarray(log_probabilities, np.float64)
    if logs.ndim != 2 or not logs.size or np.isnan(logs).any() or np.isposinf(logs).any():
        raise ValueError(f"log-probabilities must be of shape (n, n_classes) and finite or -inf; these are of shape {logs.shape}")
    own = logs[np.arange(len(logs)), _class_numbers(truth, logs.shape)]
    if not np.isfinite(own).all():
        raise ValueError(f"the log-probability of the truth is -inf in {np.isinf(own).sum()} of {len(own)} clips")
    gaps = logs - own[:, None]  # (n, c), 0 at the truth

    def loss(log_temperature: float) -> float:
        """NLL at a temperature, given as its logarithm."""
        return float(logsumexp(gaps * np.exp(-log_temperature), axis=1).mean())

    from scipy.optimize import minimize_scalar  # takes a fifth of a second, which predictions would wait for

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded", options={"xatol": 1e-8})
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def rescale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(log(probabilities) / temperature): the order of the classes stays, and an exact zero stays zero.

    Parameters
    ----------
    probabilities : np.ndarray
        Shape (n, n_classes).
    temperature : float
        Above 0. Values above 1 flatten the probabilities, values below 1 sharpen them.

    Returns
    -------
    np.ndarray
        float64, shape (n, n_classes), rows sum to 1.
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"a temperature must be above 0 and finite, not {temperature}")
    return softmax(_logarithms(probabilities) / temperature, axis=1)


def as_probabilities(values: np.ndarray) -> np.ndarray:
    """The values as float64, shape (n, n_classes), n >= 1.

    Raises
    ------
    ValueError
        The shape is another one, a value is negative or NaN, or the sum of a row is not 1.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"probabilities must be of shape (n, n_classes) with n >= 1, not {values.shape}")
    wrong = ~((values >= 0).all(1) & (np.abs(values.sum(1) - 1) <= SUM_TOLERANCE))
    if wrong.any():
        raise ValueError(
            f"rows of probabilities must be >= 0 and sum to 1; {wrong.sum()} of {len(values)} do not, e.g. row {wrong.argmax()}"
        )
    return values


def of_truth(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Probability of each clip's true class, shape (n,).

    Parameters
    ----------
    probabilities : np.ndarray
        Shape (n, n_classes).
    truth : np.ndarray
        Class numbers, shape (n,).
    """
    probabilities = as_probabilities(probabilities)
    return probabilities[np.arange(len(probabilities)), _class_numbers(truth, probabilities.shape)]


def _logarithms(probabilities: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):  # log 0 = -inf is intended
        return np.log(as_probabilities(probabilities))


def _class_numbers(truth: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    truth, (n, n_classes) = np.asarray(truth, np.int64), shape
    if truth.shape != (n,) or not ((truth >= 0) & (truth < n_classes)).all():
        raise ValueError(f"truth must be {n} class numbers in 0 .. {n_classes - 1}; it is of shape {truth.shape}")
    return truth
