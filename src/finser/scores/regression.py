"""R2, the coefficient of determination, over several outputs: scikit-learn's ``r2_score``, in float64.

It is implemented here because every training of a FIN needs it: importing ``sklearn.metrics`` takes half a second of CPU time, and
``r2_score`` computes the variance anew for each kind of mean. Tests compare all results with scikit-learn's.

An output with a constant target has no variance to explain. Its R2 is 1 if the prediction is exact, else 0
(scikit-learn's ``force_finite=True``), so that R2 is always finite.
"""

import numpy as np


def r2_uniform(target: np.ndarray, predicted: np.ndarray) -> float:
    """Mean of the outputs' R2, ``r2_score(..., multioutput="uniform_average")``.

    Parameters
    ----------
    target, predicted : np.ndarray
        Shape (n, dim), n >= 2.
    """
    return float(np.mean(_per_output(target, predicted)[0]))


def r2_weighted(target: np.ndarray, predicted: np.ndarray) -> float:
    """Mean of the outputs' R2 weighted by the targets' variance, ``r2_score(..., multioutput="variance_weighted")``.

    Parameters
    ----------
    target, predicted : np.ndarray
        Shape (n, dim), n >= 2.
    """
    scores, variance = _per_output(target, predicted)
    return float(np.average(scores, weights=variance if variance.any() else None))


def r2_each(target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """R2 of every output, ``r2_score(..., multioutput="raw_values")``, shape (dim,).

    Parameters
    ----------
    target, predicted : np.ndarray
        Shape (n, dim), n >= 2.
    """
    return _per_output(target, predicted)[0]


def _per_output(target: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R2 of each output and n times its variance, shape (dim,) each."""
    if target.shape != predicted.shape or target.ndim != 2 or len(target) < 2:
        raise ValueError(f"R2 needs two arrays (n >= 2, dim) of one shape, not {target.shape} and {predicted.shape}")
    target, predicted = target.astype(np.float64), predicted.astype(np.float64)
    residual = np.square(target - predicted).sum(axis=0)
    variance = np.square(target - target.mean(axis=0)).sum(axis=0)
    constant = np.where(residual == 0, 1.0, 0.0)
    return np.where(variance > 0, 1 - residual / np.where(variance > 0, variance, 1), constant), variance
