"""From mel powers to MFCC: decibels above a floor, and the DCT; shared by the labels and by the networks that imitate them."""

from functools import cache

import numpy as np

N_MELS = 128
N_MFCC = 20
AMIN = 1e-10  # floor of a mel power before its logarithm, as in librosa.power_to_db


@cache
def dct_matrix() -> np.ndarray:
    """The first 20 rows of the orthonormal DCT-II of 128 values, shape (20, 128), float64: MFCC = this @ mel in dB."""
    from scipy.fft import dct

    return dct(np.eye(N_MELS), axis=0, norm="ortho")[:N_MFCC]


def decibels(mel: np.ndarray) -> np.ndarray:
    """``librosa.power_to_db(mel, ref=1, amin=1e-10, top_db=None)``."""
    # by the natural logarithm: numpy computes that of several float32 at once, log10 one by one
    return np.log(np.maximum(mel, np.asarray(AMIN, mel.dtype))) * np.asarray(10 / np.log(10), mel.dtype)
