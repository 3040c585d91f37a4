"""An uploaded file as samples: what its header promises is neither believed nor allocated."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import soundfile

from finser.audio.resample import mixed
from finser.corpora.segments import Recording
from finser.errors import FinserError
from finser.files import why
from finser.serve.limits import Limits

MOST_CHANNELS, MOST_HZ, LEAST_HZ = 32, 192_000, 1_000
FORMATS = "WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF"


class TooLongError(FinserError):
    """A recording above the limits."""


@dataclass(frozen=True)
class Heard:
    """A decoded upload.

    Attributes
    ----------
    samples : np.ndarray
        float32, shape (n,): the mean of the channels, as :func:`finser.audio.resample.decode` returns it.
    sr : int
        Hz.
    """

    samples: np.ndarray
    sr: int

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return len(self.samples) / self.sr


def heard(file: IO[bytes], limits: Limits) -> Heard:
    """Decode a file in blocks, of which no more are read than the limits allow.

    Raises
    ------
    FinserError
        The file is empty, libsndfile cannot read it, or it has no samples, or samples that are NaN or infinite.
    TooLongError
        The recording is longer than the limits.
    """
    file.seek(0)
    if not file.read(1):
        raise FinserError("the file is empty")
    file.seek(0)
    try:
        with Recording(file) as sound:
            blocks = list(_blocks(sound, limits))
            sr = sound.samplerate
    except (soundfile.LibsndfileError, OSError, TypeError, ValueError) as error:
        raise FinserError(f"not readable as audio ({why(error).rstrip('.')})", expected=FORMATS) from None
    if not blocks:
        raise FinserError("holds no sample")
    return Heard(np.concatenate(blocks), sr)


def _blocks(sound: Recording, limits: Limits) -> Iterator[np.ndarray]:
    """Yield mono blocks, shape (n,)."""
    if sound.channels > MOST_CHANNELS or not LEAST_HZ <= sound.samplerate <= MOST_HZ:
        expected = f"at most {MOST_CHANNELS} channels, {LEAST_HZ:,} to {MOST_HZ:,} Hz"
        raise FinserError("an unusual recording", expected=expected, found=f"{sound.channels} channels, {sound.samplerate:,} Hz")
    most, count = limits.samples(sound.samplerate), 0
    if not sound.length_is_estimated:
        _check_length(sound.frames, most, limits)
    for block in sound.blocks_of(None, None, None, "float32"):
        count += len(block)
        _check_length(count, most, limits)
        if not np.isfinite(block).all():
            raise FinserError("holds samples that are not numbers (NaN or infinite)")
        yield mixed(block)


def _check_length(count: int, most: int, limits: Limits) -> None:
    if count > most:
        raise TooLongError("the recording is too long", expected=f"at most {limits.seconds:g} s, {most:,} samples per channel")
