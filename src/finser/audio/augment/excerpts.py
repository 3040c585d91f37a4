"""Excerpts of other recordings that are loud enough to be scaled to any level."""

from collections.abc import Callable

import numpy as np

from finser.audio.augment.changes import power
from finser.audio.frames import INT16
from finser.errors import FinserError

QUIETEST_DB = -20.0  # power of an excerpt relative to that of its recording
STEP = 1 / INT16  # of 16 bit: a recording with a lower rms is mostly rounding noise


def is_loud_enough(excerpt: np.ndarray, reference: float) -> bool:
    """Return whether the power of an excerpt is at least -20 dB relative to `reference`, that of its recording."""
    return power(excerpt) >= reference * 10 ** (QUIETEST_DB / 10)


def first_loud(read: Callable[[int], np.ndarray], length: int, size: int, offset: int, reference: float) -> int | None:
    """Return the first of `offset`, ``offset + size``, ... (modulo the length) whose excerpt is loud enough.

    The power of the excerpt is at least -20 dB relative to that of its recording. This bounds the peak of the scaled excerpt: at most 10
    times (20 dB) the crest factor of the recording, times the target rms. Without this bound, ten samples of 1/32768 in a second of zeros
    become a click at an SNR of 10 dB, 25 times as high as the peak of the clip that they are mixed into.

    The candidates cover the recording, so that the loudest has at least half of its power (-3 dB): one always qualifies.

    Returns
    -------
    int or None
        First sample of the excerpt; None for a recording with an rms below one step of 16 bit.

    Parameters
    ----------
    read : callable
        Function from the first sample of an excerpt to its samples, as they are mixed.
    length, size : int
        Length of the recording and of the excerpt, in samples.
    offset : int
        First candidate.
    reference : float
        Power of the recording, of full scale 1.
    """
    if reference < STEP**2:
        return None
    starts = (begin % length for begin in range(offset, offset + length, size))
    return next((begin for begin in starts if is_loud_enough(read(begin), reference)), None)


def refuse_silence(where: object, do: str) -> FinserError:
    """Return the error for a recording that is too quiet."""
    return FinserError("too quiet to make noise of", where=where, expected="an rms of at least one step of 16 bit (-90 dB)", do=do)
