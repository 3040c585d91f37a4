"""R2 of a FIN on a set of frames."""

import numpy as np

from finser.features.cepstrum import decibels
from finser.fins.frames.data import FrameSet
from finser.fins.nets.base import Fin, predict
from finser.scores.regression import r2_uniform, r2_weighted


def scores(fin: Fin, frames: FrameSet) -> dict[str, float]:
    """Return R2 on a set of frames in the feature's own unit (uniform, weighted), and for mel in dB (db_uniform, db_weighted)."""
    return scores_of(fin.feature, frames.labels, predict(fin, frames.frames))


def scores_of(feature: str, labels: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return the scores of :func:`scores` for labels and predictions (n, dim)."""
    found = {"uniform": r2_uniform(labels, predicted), "weighted": r2_weighted(labels, predicted)}
    if feature == "mel":
        found["db_uniform"] = r2_uniform(decibels(labels), decibels(predicted))
        found["db_weighted"] = r2_weighted(decibels(labels), decibels(predicted))
    return found


class ValidationScore:
    """Validation R2 that selects the best epoch: uniform, and for mel in dB, since powers of empty bands carry no information.

    Parameters
    ----------
    feature : str
        Feature of the FIN.
    validation : FrameSet
        Frames without augmentation.
    """

    def __init__(self, feature: str, validation: FrameSet) -> None:
        self.convert = decibels if feature == "mel" else np.asarray
        self.frames, self.labels = validation.frames, self.convert(validation.labels)

    def __call__(self, fin: Fin) -> float:
        """Return the R2 of a FIN."""
        return r2_uniform(self.labels, self.convert(predict(fin, self.frames)))
