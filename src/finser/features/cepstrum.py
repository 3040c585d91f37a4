"""From mel powers to MFCC: decibels above a floor, and the DCT; shared by the labels and by the networks that imitate them.

NumPy's logarithms and powers give other last bits on a CPU with AVX-512 than on one without. Those of this module are made of
additions, multiplications and divisions in float64 only, which IEEE 754 defines to the bit, so every CPU gives the same.
"""

from functools import cache

import numpy as np

N_MELS = 128
N_MFCC = 20
AMIN = 1e-10  # floor of a mel power before its logarithm, as in librosa.power_to_db
LOG_TERMS = 10  # of the series of the inverse hyperbolic tangent: the error is below 1e-16
EXP_TERMS = 14  # of the exponential series: likewise
LN_2 = 0.6931471805599453
LN_10 = 2.302585092994046


@cache
def dct_matrix() -> np.ndarray:
    """The first 20 rows of the orthonormal DCT-II of 128 values, shape (20, 128), float64: MFCC = this @ mel in dB."""
    from scipy.fft import dct

    return dct(np.eye(N_MELS), axis=0, norm="ortho")[:N_MFCC]


def decibels(mel: np.ndarray) -> np.ndarray:
    """``librosa.power_to_db(mel, ref=1, amin=1e-10, top_db=None)``, of the type of `mel`."""
    return power_to_db(mel, AMIN)


def power_to_db(power: np.ndarray, floor: float) -> np.ndarray:
    """``10 log10(max(power, floor))`` in the type of `power`, the same bits on every CPU; computed in float64."""
    return (natural_log(np.maximum(power, floor, dtype=np.float64)) * (10 / LN_10)).astype(power.dtype)


def natural_log(x: np.ndarray) -> np.ndarray:
    """Natural logarithm of positive finite numbers, float64, the same bits on every CPU.

    ``x = m 2^e`` with m between 0.707 and 1.414, and ``ln m = 2 artanh((m - 1) / (m + 1))``.

    Parameters
    ----------
    x : np.ndarray
        Any shape and floating type.

    Returns
    -------
    np.ndarray
        float64, within 4e-16 of the value or of 1, whichever is larger.
    """
    m, e = np.frexp(np.asarray(x, np.float64))
    low = m < 0.7071067811865476
    m, e = np.where(low, 2 * m, m), e - low
    s = (m - 1) / (m + 1)  # -0.172 .. 0.172
    square, total = s * s, np.full_like(s, 1 / (2 * LOG_TERMS + 1))
    for k in range(LOG_TERMS - 1, -1, -1):
        total *= square
        total += 1 / (2 * k + 1)
    return 2 * s * total + e * LN_2


def db_to_power(db: np.ndarray) -> np.ndarray:
    """``10 ** (db / 10)``, float64, the same bits on every CPU."""
    y = np.asarray(db, np.float64) * (LN_10 / 10)
    n = np.rint(y * (1 / LN_2))
    r = y - n * LN_2  # -0.347 .. 0.347
    total = np.ones_like(r)
    for k in range(EXP_TERMS, 0, -1):
        total *= r / k
        total += 1
    return np.ldexp(total, n.astype(np.int64))
