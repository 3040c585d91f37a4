"""Logistic regression, z-scored on the training part; scikit-learn fits it, NumPy predicts with it, and it is stored as plain arrays."""

import warnings
from dataclasses import dataclass, field

import numpy as np

from finser.errors import FinserError

ITERATIONS = 10_000


@dataclass
class Logistic:
    """Multinomial logistic regression with an L2 penalty.

    Attributes
    ----------
    n_classes : int
        Number of classes, with those that no training clip has.
    arrays : dict
        ``mean`` and ``scale`` (dim,) of the training inputs; ``coefficients`` (seen, dim), ``intercept`` (seen,); ``classes`` (seen,) class
        numbers of the training clips. Empty before :meth:`fit`.
    """

    n_classes: int
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def n_params(self) -> int:
        """Number of coefficients and intercepts."""
        return self.arrays["coefficients"].size + self.arrays["intercept"].size

    def fit(self, table: np.ndarray, targets: np.ndarray, c: float) -> None:
        """Fit scikit-learn's ``StandardScaler`` and ``LogisticRegression(C=c, max_iter=10000)``; nothing is random.

        Parameters
        ----------
        table : np.ndarray
            Shape (n, dim).
        targets : np.ndarray
            Class numbers, shape (n,).
        c : float
            Inverse of the penalty's weight.

        Raises
        ------
        FinserError
            There are fewer than two classes, or the solver does not converge.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        if len(set(targets.tolist())) < 2:
            raise FinserError("logistic regression needs two emotions or more to train on", found=1)
        scaler = StandardScaler().fit(table.astype(np.float64))
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                model = LogisticRegression(C=c, max_iter=ITERATIONS).fit(scaler.transform(table.astype(np.float64)), targets)
            except ConvergenceWarning:
                what = f"logistic regression with C {c:g} does not converge in {ITERATIONS} iterations"
                raise FinserError(what, do="take smaller values of c") from None
        coefficients, intercept = model.coef_, model.intercept_
        if len(model.classes_) == 2:  # scikit-learn keeps the difference of the two rows alone
            coefficients, intercept = np.vstack([-coefficients / 2, coefficients / 2]), np.hstack([-intercept / 2, intercept / 2])
        self.arrays = {
            "mean": scaler.mean_,
            "scale": scaler.scale_,
            "coefficients": coefficients,
            "intercept": intercept,
            "classes": model.classes_.astype(np.int64),
        }

    def probabilities(self, table: np.ndarray) -> np.ndarray:
        """Return class probabilities, float64, shape (n, classes); classes without training clips have probability 0."""
        scaled = (np.asarray(table, np.float64) - self.arrays["mean"]) / self.arrays["scale"]
        logits = scaled @ self.arrays["coefficients"].T + self.arrays["intercept"]  # (n, seen)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        result = np.zeros((len(table), self.n_classes))
        result[:, self.arrays["classes"]] = powers / powers.sum(1, keepdims=True)
        return result
