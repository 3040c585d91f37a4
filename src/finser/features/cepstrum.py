"""From mel powers to MFCC: decibels with a floor, and the DCT; used by the labels and by the FINs."""

from functools import cache

import numpy as np

from finser.audio.decibels import FLOOR, power_to_db
from finser.audio.frames import DIMENSIONS

N_MELS = DIMENSIONS["mel"]
N_MFCC = DIMENSIONS["mfcc"]


@cache
def dct_matrix() -> np.ndarray:
    """Return the first 20 rows of the orthonormal DCT-II of 128 values, shape (20, 128), float64.

    MFCC is this matrix times mel in dB.
    """
    from scipy.fft import dct

    return dct(np.eye(N_MELS), axis=0, norm="ortho")[:N_MFCC]


def decibels(mel: np.ndarray) -> np.ndarray:
    """Return ``librosa.power_to_db(mel, ref=1, amin=1e-10, top_db=None)``, in the type of `mel`."""
    return power_to_db(mel, FLOOR)
