"""Statistics of label rows over the frames of a clip: 211 numbers for the SVM, of which the MLP uses the 200 of MFCC.

:func:`deltas` replaces ``librosa.feature.delta``, whose filter coefficients come from LAPACK with other last bits on other CPUs, and which
refuses clips of fewer frames than its window in its default mode. Tests compare both.
"""

import numpy as np

from finser.audio.decibels import FLOOR, natural_log
from finser.audio.frames import HOP_LENGTH, SR
from finser.features.rows import Reader, Row

DELTA_WIDTH = 9  # frames
FEATURES, AUDIO = ("rms", "zcr", "mfcc"), False  # what :func:`of_row` reads of a row
DIM = 211
PER_STATISTIC = 42  # 20 MFCC, 20 deltas, zero-crossing rate, log RMS
N_MFCC_STATISTICS = 200


def of_row(row: Row) -> np.ndarray:
    """Return :func:`summary_statistics` as one frame, shape (1, 211)."""
    return summary_statistics(row)[None]


def _summary(row: Row) -> np.ndarray:
    """Return the stored statistics of a row, or compute them from its labels, shape (211,)."""
    return row.features["statistics"][0] if "statistics" in row.features else summary_statistics(row)


def summary() -> Reader:
    """Return the reader of all 211 statistics of a clip, shape (211,)."""
    return Reader(_summary, FEATURES, AUDIO, stored="statistics")


def mfcc() -> Reader:
    """Return the reader of the 200 statistics of MFCC and deltas, shape (200,)."""
    return Reader(lambda row: of_mfcc(_summary(row)), FEATURES, AUDIO, stored="statistics")


def deltas(mfcc: np.ndarray) -> np.ndarray:
    """Return the slope of each column over time: ``librosa.feature.delta(mfcc.T, width=9).T``, for any number of frames.

    Parameters
    ----------
    mfcc : np.ndarray
        Shape (n_frames, dim). Clips of fewer than 9 frames are padded with their first and last frame (mode ``nearest``).
    """
    half = DELTA_WIDTH // 2
    short = len(mfcc) < DELTA_WIDTH
    rows = np.pad(mfcc, ((half, half), (0, 0)), "edge") if short else mfcc
    inner = len(rows) - 2 * half
    # scipy's savgol_filter asks LAPACK for these whole numbers, and gets other last bits on other CPUs
    rises = sum(k * (rows[half + k :][:inner].astype(np.float64) - rows[half - k :][:inner]) for k in range(1, half + 1))
    slopes = rises / (2 * sum(k * k for k in range(1, half + 1)))
    return (slopes if short else np.pad(slopes, ((half, half), (0, 0)), "edge")).astype(mfcc.dtype)


def summary_statistics(row: Row) -> np.ndarray:
    """Return the 211 statistics of a clip, the input of the SVM.

    Mean, standard deviation, 10th, 50th and 90th percentile over the frames of 20 MFCC, their deltas, the zero-crossing rate
    and the natural logarithm of max(RMS, 1e-10), then the clip's length in seconds (frames x 512 / 22,050).

    Returns
    -------
    np.ndarray
        float32, shape (211,): five blocks of 42, then the length.
    """
    mfcc = row.features["mfcc"]  # (frames, 20)
    log_rms = natural_log(np.maximum(row.features["rms"], FLOOR)).astype(np.float32)
    frames = np.hstack([mfcc, deltas(mfcc), row.features["zcr"], log_rms])  # (frames, 42)
    return np.append(_over_time(frames), len(frames) * HOP_LENGTH / SR).astype(np.float32)


def of_mfcc(statistics: np.ndarray) -> np.ndarray:
    """Return the 200 of the 211 statistics that are of MFCC and their deltas: five blocks of 40.

    Parameters
    ----------
    statistics : np.ndarray
        Shape (211,), as :func:`summary_statistics` returns them.
    """
    return statistics[:-1].reshape(-1, PER_STATISTIC)[:, : N_MFCC_STATISTICS // 5].reshape(-1)


def _over_time(frames: np.ndarray) -> np.ndarray:
    """Return five statistics of each column, float64, shape (5 * dim,)."""
    frames = frames.astype(np.float64)
    return np.concatenate([frames.mean(0), frames.std(0), *np.percentile(frames, (10, 50, 90), axis=0)])
