"""Parts of long recordings: a clip from `start` to `end`, in seconds."""

import os
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import soundfile

from finser.errors import FinserError

BLOCK = 2**16  # frames per read
PREROLL = 16 * 1152  # frames that are decoded and dropped after a seek in an MP3, as its blocks need earlier ones (ISO 11172-3)
TOLERANCE = 0.05  # seconds by which a table may round the end of the last part up


def frames_between(rate: int, n_frames: int, start: float | None, end: float | None, where: object) -> tuple[int, int]:
    """Return the first frame and the number of frames of a part of a recording.

    Parameters
    ----------
    rate : int
        Sampling rate in Hz.
    n_frames : int
        Length of the recording.
    start, end : float or None
        Seconds; None for the beginning and the end of the recording. Both are rounded to the nearest frame.
    where : object
        The recording, for messages.

    Raises
    ------
    FinserError
        The part ends more than :data:`TOLERANCE` seconds after the recording, or has no frame.
    """
    first = round((start or 0.0) * rate)
    last = n_frames if end is None else round(end * rate)
    if last > n_frames + TOLERANCE * rate:
        raise FinserError("the part ends after the recording", where=where, expected=f"at most {n_frames / rate:g} s", found=f"{end:g} s")
    last = min(last, n_frames)
    if last <= first:
        raise FinserError(
            "a part without samples", where=where, expected=f"below {n_frames / rate:g} s", found=f"{start or 0:g} s to {end} s"
        )
    return first, last - first


class Recording(soundfile.SoundFile):
    """A sound file that is read forwards.

    soundfile seeks to its place after every read of a file that it calls seekable. In an MP3, the frames after libsndfile's seek are wrong,
    so that every block but the first would be.
    """

    def __init__(self, file: str | os.PathLike[str] | IO[bytes], *arguments: Any, **options: Any) -> None:
        if isinstance(file, str | os.PathLike):
            file = os.fsencode(file)  # soundfile refuses names that are no UTF-8, except as bytes
        super().__init__(file, *arguments, **options)

    def seekable(self) -> bool:
        """Return False, so that reading does not seek."""
        return False

    @property
    def length_is_estimated(self) -> bool:
        """Whether `frames` may differ from the number that can be read (libsndfile issue 1001)."""
        return self.format == "MP3"

    def frames_of(self, start: float | None, end: float | None, where: object) -> tuple[int, int]:
        """Return the first frame and the number of frames from `start` to `end` seconds; errors as in :func:`frames_between`."""
        whole = start is None and end is None  # an empty file has no error here
        return (0, self.frames) if whole else frames_between(self.samplerate, self.frames, start, end, where)

    def blocks_of(self, start: float | None, end: float | None, where: object, dtype: str) -> Iterator[np.ndarray]:
        """Yield the samples from `start` to `end` seconds in blocks, shape (frames, channels); errors as in :func:`frames_between`."""
        first, count = self.frames_of(start, end, where)
        before = min(PREROLL, first) if self.format == "MP3" else 0
        if first:
            self.seek(first - before)
        if before:
            self.read(before)
        to_the_end = self.length_is_estimated and end is None
        while len(block := self.read(BLOCK if to_the_end else min(BLOCK, count), dtype=dtype, always_2d=True)):
            count -= len(block)
            yield block
