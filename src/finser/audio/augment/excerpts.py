"""Excerpts of other recordings that are loud enough to be scaled to any level."""

from collections.abc import Callable

import numpy as np

from finser.audio.augment.changes import power
from finser.audio.frames import INT16
from finser.errors import FinserError

QUIETEST_DB = -20.0  # power of an excerpt relative to that of its recording
STEP = 1 / INT16  # of 16 bit: a sound of a lower rms is mostly rounding noise


def is_loud_enough(excerpt: np.ndarray, reference: float) -> bool:
    """Whether an excerpt has at least -20 dB of the power `reference` of its recording."""
    return power(excerpt) >= reference * 10 ** (QUIETEST_DB / 10)


def first_loud(read: Callable[[int], np.ndarray], length: int, size: int, offset: int, reference: float) -> int | None:
    """The first of `offset`, ``offset + size``, ... (around the end) whose excerpt is loud enough to be scaled to a level.

    Its power is at least -20 dB of that of its recording, which bounds the peak of what is mixed in: at most 10 times (20 dB) the
    crest factor of the recording, times the rms that is asked for. Without this, ten samples of 1/32768 in a second of zeros become
    a click at an SNR of 10 dB, 25 times as high as the peak of the clip that they are mixed into. The excerpts looked at cover the
    recording, so that the loudest has at least half of its power (-3 dB): there always is one.

    Returns
    -------
    int or None
        The sample that the excerpt begins with; None for a recording of an rms below one step of 16 bit.

    Parameters
    ----------
    read : callable
        Excerpt of the recording from the sample that it begins with: samples, as they are mixed.
    length, size : int
        Of the recording and of the excerpt, in samples.
    offset : int
        Looked at first.
    reference : float
        Power of the recording, of full scale 1.
    """
    if reference < STEP**2:
        return None
    starts = (begin % length for begin in range(offset, offset + length, size))
    return next((begin for begin in starts if is_loud_enough(read(begin), reference)), None)


def refuse_silence(where: object, do: str) -> FinserError:
    """The error for a recording that is too quiet."""
    return FinserError("too quiet to make noise of", where=where, expected="an rms of at least one step of 16 bit (-90 dB)", do=do)
