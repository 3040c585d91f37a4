"""Logarithms and powers with the same bits on every CPU.

They replace ``librosa.power_to_db`` and ``librosa.db_to_power``, which use NumPy's ``log`` and ``power``: the last bits of these differ
between CPUs with and without AVX-512. The functions here use only additions, multiplications and divisions in float64, which IEEE 754
defines to the bit (tests/test_cpus.py).
"""

import numpy as np

FLOOR = 1e-10  # of a mel power before its logarithm, as in librosa.power_to_db; here also of an RMS
LOG_TERMS = 10  # of the series of the inverse hyperbolic tangent: the error is below 1e-16
EXP_TERMS = 14  # of the exponential series: likewise
LN_2 = 0.6931471805599453
LN_10 = 2.302585092994046


def power_to_db(power: np.ndarray, floor: float) -> np.ndarray:
    """Return ``10 log10(max(power, floor))`` in the type of `power`, with the same bits on every CPU; computed in float64."""
    return (natural_log(np.maximum(power, floor, dtype=np.float64)) * (10 / LN_10)).astype(power.dtype)


def natural_log(x: np.ndarray) -> np.ndarray:
    """Return the natural logarithm of positive finite numbers, float64, with the same bits on every CPU.

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
    """Return ``10 ** (db / 10)``, float64, with the same bits on every CPU."""
    y = np.asarray(db, np.float64) * (LN_10 / 10)
    n = np.rint(y * (1 / LN_2))
    r = y - n * LN_2  # -0.347 .. 0.347
    total = np.ones_like(r)
    for k in range(EXP_TERMS, 0, -1):
        total *= r / k
        total += 1
    return np.ldexp(total, n.astype(np.int64))
