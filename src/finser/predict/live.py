"""`finser listen`: predictions while a recording is made, from a microphone or from raw PCM on standard input."""

import json
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import IO

import numpy as np

from finser.audio.frames import SR
from finser.errors import FinserError
from finser.predict.output import facts, in_words
from finser.predict.predictor import LocalPredictor, Prediction
from finser.predict.run import load
from finser.predict.sound import Windows
from finser.progress import say

PIPE_RATE = 16_000  # Hz of standard input, unless --rate states another
PCM = "raw 16-bit little-endian mono PCM"
HEAD = 12  # bytes that tell a sound file from PCM
HEADERS = (  # first bytes of sound files: WAV, FLAC, Ogg, MP3 with a tag, AIFF, WebM, CAF, AAC at 44.1 kHz
    b"RIFF",
    b"RF64",
    b"fLaC",
    b"OggS",
    b"ID3\x02",
    b"ID3\x03",
    b"ID3\x04",
    b"FORM",
    b"\x1aE\xdf\xa3",
    b"caff",
    b"\xff\xf1\x50",
)
Take = Callable[[int], tuple[bytes, float]]


class Piece:
    """Sound without a gap: a stream of raw 16-bit mono PCM that remembers when its samples arrived.

    Parameters
    ----------
    take : callable
        Returns some bytes, about as many as it is asked for at most, and the time on :func:`time.monotonic` at which they arrived. It
        returns no bytes at the end.
    start : float
        Place of the first sample in the recording, in seconds.

    Attributes
    ----------
    size : int
        Bytes that were read.
    """

    def __init__(self, take: Take, start: float = 0.0) -> None:
        self.start, self.size = start, 0
        self._take, self._ended = take, False
        self._arrived: deque[tuple[int, float]] = deque()  # whole samples so far, and when the last of them arrived

    def read1(self, size: int) -> bytes:
        """Return what has arrived, without waiting for `size` bytes; no bytes at the end."""
        data, moment = self._take(size)
        self.size, self._ended = self.size + len(data), not data
        self._arrived.append((self.size // 2, moment))
        return data

    def arrival(self, samples: int) -> float:
        """Return when the first `samples` were there; at the end of the stream, when the end was seen, for which its last window waits.

        Ask for growing numbers of samples: earlier times are forgotten.
        """
        while len(self._arrived) > 1 and (self._ended or self._arrived[0][0] < samples):
            self._arrived.popleft()
        return self._arrived[0][1]


@dataclass(frozen=True)
class LivePrediction:
    """A prediction, and the seconds from the arrival of its window's last sample to the prediction."""

    prediction: Prediction
    latency: float


def heard(predictor: LocalPredictor, pieces: Iterable[Piece], sr: int, windows: Windows) -> Iterator[LivePrediction]:
    """Yield the prediction for each window as soon as it is complete. A window never spans two pieces."""
    for piece in pieces:
        for one in predictor.listen(piece, sr, windows.length, windows.hop):
            latency = time.monotonic() - piece.arrival(round(one.end * sr))
            yield LivePrediction(replace(one, start=round(piece.start + one.start, 3), end=round(piece.start + one.end, 3)), latency)


def pieces_of(stream: IO[bytes]) -> Iterator[Piece]:
    """Yield the one piece of standard input, and say if its last byte is half a sample.

    Raises
    ------
    FinserError
        The stream is a terminal, or begins as a file of another format.
    """
    if stream.isatty():
        raise FinserError("standard input is a terminal", expected=PCM, do="ffmpeg -i FILE -f s16le -ac 1 -ar 16000 - | finser listen -")

    def take(size: int) -> tuple[bytes, float]:
        """Read up to `size` bytes; at first, enough to know a sound file."""
        data = stream.read1(size) if piece.size else head_of(stream)
        if not piece.size and is_file(data):
            do = "take the header off: ffmpeg -i - -f s16le -ac 1 -ar 16000 -; or use finser predict"
            raise FinserError("begins as a sound file", where="standard input", expected=PCM, do=do)
        return data, time.monotonic()

    piece = Piece(take)
    yield piece
    if piece.size > 1 and piece.size % 2:
        say("standard input: the last byte is half a sample, and is left out")


def head_of(stream: IO[bytes]) -> bytes:
    """Return the first 12 bytes, or all if there are fewer: a pipe may give them one at a time."""
    head = b""
    while len(head) < HEAD and (more := stream.read1(HEAD - len(head))):
        head += more
    return head


def is_file(head: bytes) -> bool:
    """Return whether 12 bytes begin a sound file: by its mark, by the box of an M4A file, or by the header of an MP3 frame.

    A sample of -1 is ``ff ff``: a frame must be of layer III, and have a valid bit rate, sampling rate and emphasis.
    """
    if head.startswith(HEADERS) or head[4:8] == b"ftyp":
        return True
    word = int.from_bytes(head[:4])  # of ISO 11172-3: sync 11 bits, version 2, layer 2, CRC 1, bit rate 4, rate 2, ..., emphasis 2
    sync, version, layer = word >> 21, word >> 19 & 3, word >> 17 & 3
    return sync == 0x7FF and version != 1 and layer == 1 and word >> 12 & 15 not in (0, 15) and word >> 10 & 3 != 3 and word & 3 != 2


def warm_up(predictor: LocalPredictor, seconds: float) -> None:
    """Predict noise: the first prediction loads libraries, which would delay the first line."""
    predictor.predict(np.random.default_rng(0).uniform(-0.1, 0.1, round(seconds * SR)).astype(np.float32), SR)


def write(found: Iterable[LivePrediction], form: str, file: IO[str]) -> None:
    """Write a line per prediction, at once.

    Raises
    ------
    FinserError
        There is none.
    """
    count = 0
    for count, one in enumerate(found, 1):  # noqa: B007
        print(LINES[form](one), file=file, flush=True)
    if not count:
        raise FinserError("no sound", where="standard input", expected=PCM, do="look at the program that sends it")


def as_text(one: LivePrediction) -> str:
    """Return a line for people: time, emotion, the three largest probabilities, latency, and the kinds of warnings."""
    kinds = ", ".join(re.split(r" ?[:(]", line)[0] for line in one.prediction.warnings)
    return f"{in_words(one.prediction)}  {1000 * one.latency:.0f} ms" + (f"  (warning: {kinds})" if kinds else "")


def as_json(one: LivePrediction) -> str:
    """Return an object as `finser predict --format jsonl` writes it, without a path, and with ``latency_ms``."""
    said = facts(one.prediction)
    del said["path"]
    return json.dumps({**said, "latency_ms": round(1000 * one.latency, 1)}, ensure_ascii=False)


LINES: dict[str, Callable[[LivePrediction], str]] = {"table": as_text, "jsonl": as_json}


def listen(name: str | None, device: str | None, sr: int | None, windows: Windows, form: str) -> None:
    """Write predictions until the sound ends.

    Parameters
    ----------
    name : str, optional
        Folder or id of the bundle; default: the one that ships with finser.
    device : str, optional
        As for :class:`finser.predict.microphone.Microphone`; None: standard input.
    sr : int, optional
        Rate in Hz; default: 16,000 for standard input, and the microphone's own.
    """
    if device is None:
        predictor, sr, pieces = load(name), sr or PIPE_RATE, pieces_of(sys.stdin.buffer)
    else:
        from finser.predict.microphone import Microphone

        microphone = Microphone(device, sr)
        predictor, sr, pieces = load(name), microphone.sr, microphone.pieces()
    warm_up(predictor, windows.length)
    write(heard(predictor, pieces, sr, windows), form, sys.stdout)
