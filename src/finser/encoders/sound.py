"""The sound of a clip as encoders get it: without silent ends, at 16 kHz."""

import librosa
import numpy as np
import soxr

from finser.audio.frames import SR, to_float
from finser.encoders.base import RATE

QUALITY = "HQ"  # quality of soxr
TRIM_DB = 30  # dB below the loudest frame of what is trimmed from both ends of a clip: pooling over time would count its silence
MARGIN = 1024  # samples at 22,050 Hz that are kept of it on either side


def sound_of(audio: np.ndarray) -> np.ndarray:
    """Return the samples of a clip without its silent ends, resampled from 22,050 Hz to 16 kHz, float32, shape (n,).

    Ends are those of ``librosa.effects.trim(y, top_db=30)``, with 1,024 more samples on either side.

    Parameters
    ----------
    audio : np.ndarray
        int16, shape (n_samples,).
    """
    y = to_float(audio).astype(np.float32)
    start, end = librosa.effects.trim(y, top_db=TRIM_DB)[1]
    return soxr.resample(y[max(start - MARGIN, 0) : end + MARGIN], SR, RATE, quality=QUALITY)
