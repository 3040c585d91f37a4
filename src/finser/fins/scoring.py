"""R2 of a FIN on a set of frames."""

import numpy as np

from finser.features.cepstrum import decibels
from finser.fins.data import FrameSet
from finser.fins.nets.base import Fin, predict
from finser.scores.regression import r2_uniform, r2_weighted


def scores(fin: Fin, frames: FrameSet) -> dict[str, float]:
    """R2 on a set in the feature's own unit (uniform, weighted) and, for mel, in dB (db_uniform, db_weighted)."""
    return scores_of(fin.feature, frames.labels, predict(fin, frames.frames))


def scores_of(feature: str, labels: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """As :func:`scores`, of labels and predictions (n, dim)."""
    found = {"uniform": r2_uniform(labels, predicted), "weighted": r2_weighted(labels, predicted)}
    if feature == "mel":
        found["db_uniform"] = r2_uniform(decibels(labels), decibels(predicted))
        found["db_weighted"] = r2_weighted(decibels(labels), decibels(predicted))
    return found


class Selection:
    """The R2 that chooses among epochs: uniform, for mel in dB, since the powers of an empty band say nothing.

    Parameters
    ----------
    feature : str
        Of the FIN.
    validation : FrameSet
        Undisturbed frames.
    """

    def __init__(self, feature: str, validation: FrameSet) -> None:
        self.convert = decibels if feature == "mel" else np.asarray
        self.frames, self.labels = validation.frames, self.convert(validation.labels)

    def __call__(self, fin: Fin) -> float:
        """R2 of a FIN."""
        return r2_uniform(self.labels, self.convert(predict(fin, self.frames)))
