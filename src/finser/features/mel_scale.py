"""librosa's mel scale and mel filter bank, without librosa: importing its filters takes a second, which each prediction would wait for.

Tests compare all values with librosa's, bit by bit.
"""

from functools import cache

import numpy as np

from finser.audio.frames import DIMENSIONS, N_FFT, SR

N_MELS = DIMENSIONS["mel"]
HZ_PER_MEL = 200 / 3  # below 1,000 Hz, which are 15 mel: Slaney's scale
BREAK_HZ = 1000.0
BREAK_MEL = BREAK_HZ / HZ_PER_MEL
LOG_STEP = np.log(6.4) / 27  # of a mel above them


def mel_points() -> np.ndarray:
    """Return ``librosa.mel_frequencies(130, fmin=0, fmax=11025)``: the corners of the bands in Hz, float64, shape (130,)."""
    highest = BREAK_MEL + np.log(SR / 2 / BREAK_HZ) / LOG_STEP
    mels = np.linspace(0.0, highest, N_MELS + 2)
    return np.where(mels >= BREAK_MEL, BREAK_HZ * np.exp(LOG_STEP * (mels - BREAK_MEL)), HZ_PER_MEL * mels)


def band_centres() -> np.ndarray:
    """Return the centre frequencies of the bands in Hz, float64, shape (128,)."""
    return mel_points()[1:-1]


@cache
def mel_bank() -> np.ndarray:
    """Return ``librosa.filters.mel(sr=22050, n_fft=2048)``, shape (128, 1025), float32."""
    points, bins = mel_points(), np.fft.rfftfreq(N_FFT, 1 / SR)  # (130,), (1025,), Hz
    widths, distances = np.diff(points), points[:, None] - bins  # (129,), (130, 1025)
    rising, falling = -distances[:-2] / widths[:-1, None], distances[2:] / widths[1:, None]  # (128, 1025) each
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    triangles *= (2.0 / (points[2:] - points[:-2]))[:, None]  # equal areas
    return triangles
