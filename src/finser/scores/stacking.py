"""Late fusion: probabilities from those of several models, the members.

Both methods are linear pools, that is weighted means of probabilities (Stone 1961). The weights are equal, or fitted on validation clips.

They replace scikit-learn's ``StackingClassifier``, which needs the estimators themselves and fits a classifier on their outputs; here only
stored probabilities exist, and the result is a weighted mean of them. Importing scikit-learn costs about .5 s of CPU time per job.
"""

from collections.abc import Sequence

import numpy as np

from finser.scores.calibration import FLOOR, as_probabilities, of_truth

TOLERANCE = 1e-8  # nats above the least NLL
ROUNDS = 20_000


def stacked_weights(probabilities: Sequence[np.ndarray], truth: np.ndarray) -> np.ndarray:
    """Weights of a linear pool that minimise its NLL on validation clips: stacking (Smyth and Wolpert 1999).

    The weights of a mixture of fixed members are fitted by EM (Dempster, Laird and Rubin 1977), starting from equal weights. A
    member's new weight is the mean over clips of its fraction of the pool's probability of the true class. No round raises the NLL, the
    problem is convex, and there are no random draws and no settings.

    At the optimum, the mean over clips of (member / pool) is at most 1 for every member. Its largest value minus 1 bounds the difference
    between the NLL and its minimum (Lindsay 1983). The fit stops when this bound is :data:`TOLERANCE`, or after :data:`ROUNDS` rounds;
    only a member that barely improves the pool needs that number. Equal members keep equal weights.

    The members must not have been trained on these clips; otherwise a member that overfits them gets all the weight.

    Parameters
    ----------
    probabilities : sequence of np.ndarray
        One or more members, each of shape (n, n_classes), of the same validation clips in the same order. A probability of
        the true class below :data:`finser.scores.calibration.FLOOR` is replaced by it.
    truth : np.ndarray
        Class numbers, shape (n,).

    Returns
    -------
    np.ndarray
        float64, shape (members,), each 0 to 1, sum 1.
    """
    own = np.stack([np.maximum(of_truth(member, truth), FLOOR) for member in _stack(probabilities)])  # (members, n)
    weights = np.full(len(own), 1 / len(own))
    for _ in range(ROUNDS):
        gains = (own / (weights @ own)).mean(1)
        if gains.max() - 1 <= TOLERANCE:
            break
        weights = weights * gains / (weights @ gains)
    return weights


def stacked_fusion(probabilities: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Weighted mean of the members' probabilities.

    Parameters
    ----------
    probabilities : sequence of np.ndarray
        One or more members, each of shape (n, n_classes), of the same clips in the same order.
    weights : np.ndarray
        Shape (members,), >= 0, sum 1, in the order of the members.

    Returns
    -------
    np.ndarray
        float64, shape (n, n_classes), rows sum to 1.
    """
    members, weights = _stack(probabilities), np.asarray(weights, np.float64)
    if weights.shape != (len(members),) or not (weights >= 0).all() or abs(weights.sum() - 1) > 1e-9:
        raise ValueError(f"weights must be one per member, >= 0 and of sum 1; these are {weights} for {len(members)} members")
    return np.tensordot(weights, members, axes=1)


def _stack(probabilities: Sequence[np.ndarray]) -> np.ndarray:
    """Members as one array, shape (members, n, n_classes)."""
    members = [as_probabilities(member) for member in probabilities]
    shapes = sorted({member.shape for member in members})
    if len(shapes) != 1:
        raise ValueError(f"members must be one or more and of one shape, not {len(members)} of shapes {shapes}")
    return np.stack(members)
