"""Waveform for predictions: whole clips, and windows of recordings of any length, which are never in memory as a whole."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import soundfile
import soxr

from finser.audio.frames import SR, to_int16
from finser.audio.resample import mixed, resample_clip
from finser.corpora.segments import Recording
from finser.errors import FinserError
from finser.files import why

PCM_BLOCK = 4096  # samples per read of raw PCM
SHORTEST = 0.01  # seconds of a window and of a hop
LONGEST = 600.0  # seconds of a clip and of a window: what is in memory at a time
UNREADABLE = "restore the file, or leave it out; the name of a list of paths ends in .txt"
MOST_CHANNELS = 64  # more columns are the samples of an array that is (channels, n)


@dataclass(frozen=True)
class Windows:
    """How a recording is cut.

    Attributes
    ----------
    length, hop : float
        Seconds of a window, and from one window to the next.
    """

    length: float
    hop: float

    def __post_init__(self) -> None:
        """Refuse windows without a sample, endless ones, and gaps between windows."""
        if not (SHORTEST <= self.hop <= self.length <= LONGEST):
            what = f"a hop of {self.hop:g} s and windows of {self.length:g} s"
            raise FinserError(what, expected=f"{SHORTEST} <= hop <= window <= {LONGEST:g}, in seconds", do="choose others: --window, --hop")


@dataclass(frozen=True)
class Waveform:
    """A clip or a window.

    Attributes
    ----------
    audio : np.ndarray
        int16, shape (n,), 22,050 Hz.
    start, end : float
        Its place in the recording, in seconds.
    """

    audio: np.ndarray
    start: float
    end: float


def of_file(path: Path, quality: str) -> Waveform:
    """Read a whole recording.

    Raises
    ------
    FinserError
        As :func:`finser.audio.resample.decode` does; or there is no such file, or it is longer than ten minutes.
    """
    check_file(path)
    with suppress(soundfile.LibsndfileError, OSError, TypeError), Recording(path) as file:  # resample_clip raises these errors
        check_length(file.frames / file.samplerate, path)
    try:
        audio, _ = resample_clip(path, SR, quality)
    except FinserError as error:  # whose advice is for the files of a corpus
        raise FinserError(error.brief, where=path, do=UNREADABLE) from None
    return Waveform(audio, 0.0, len(audio) / SR)


def check_file(path: Path) -> None:
    """Raise an error for a path that is no file, and for an empty file."""
    if path.is_dir():
        raise FinserError("is a folder, not a recording", where=path)
    if not path.is_file():
        raise FinserError("no such file or folder", where=path)
    if not path.stat().st_size:
        raise FinserError("is empty", where=path)


def check_length(seconds: float, where: object) -> None:
    """Raise an error for a clip that is too long to be in memory as a whole."""
    if seconds > LONGEST:
        do = "cut it into windows: --window 3, or predict_windows"
        raise FinserError("too long for one clip", where=where, expected=f"at most {LONGEST:g} s", found=f"{seconds:.0f} s", do=do)


def of_array(y: np.ndarray, sr: int, quality: str) -> Waveform:
    """Convert the samples of a clip; errors as in :func:`float_of_array`, or it is longer than ten minutes."""
    wave = float_of_array(y, sr, quality)
    check_length(len(wave) / SR, "samples")
    audio, _ = to_int16(wave)
    return Waveform(audio, 0.0, len(audio) / SR)


def float_of_array(y: np.ndarray, sr: int, quality: str) -> np.ndarray:
    """Mix and resample samples; return float32, shape (n,), 22,050 Hz.

    Parameters
    ----------
    y : np.ndarray
        Floats of full scale 1, or integers of their type's full scale; shape (n,) or (n, channels).
    sr : int
        Hz.

    Raises
    ------
    FinserError
        There is no sample, a sample is NaN or infinite, or the shape or the rate is none of a sound.
    """
    y = np.asarray(y)
    if y.ndim not in (1, 2) or not y.size or not 1 <= sr <= 1_000_000:
        found = f"shape {y.shape}, sr {sr}"
        raise FinserError("no sound", expected="samples of shape (n,) or (n, channels), and their rate in Hz", found=found)
    if y.ndim == 2 and y.shape[1] > MOST_CHANNELS:
        raise FinserError("no sound", expected="samples of shape (n, channels)", found=f"shape {y.shape}", do="transpose them: y.T")
    wave = as_float(y) if y.ndim == 1 else as_float(y).mean(1)
    if not np.isfinite(wave).all():
        raise FinserError("holds samples that are not numbers", do="repair the sound")
    if sr != SR:
        wave = soxr.resample(wave, sr, SR, quality=quality)
    if not len(wave):
        raise FinserError("too short to resample", found=f"{len(y)} samples at {sr} Hz")
    return wave


def as_float(y: np.ndarray) -> np.ndarray:
    """Return samples as float32 of full scale 1."""
    if np.issubdtype(y.dtype, np.integer):
        limits = np.iinfo(y.dtype)
        middle = (limits.max + limits.min + 1) // 2 if limits.min == 0 else 0  # unsigned samples are centred on half their range
        return ((y.astype(np.float64) - middle) / (limits.max - middle + 1)).astype(np.float32)
    return y.astype(np.float32)


def windows_of_file(path: Path, windows: Windows, quality: str) -> Iterator[Waveform]:
    """Yield the windows of a recording, of which a few seconds are in memory at a time."""
    check_file(path)
    try:
        with Recording(path) as file:
            sr = file.samplerate
            blocks = (mixed(block) for block in file.blocks_of(None, None, path, "float32"))
            found = cut(resampled(finite(blocks, path), sr, quality), windows)
            first = next(found, None)
            if first is None:
                raise FinserError("holds no sample", where=path)
            yield first
            yield from found
    except (soundfile.LibsndfileError, OSError, TypeError) as error:  # TypeError: raw samples, whose rate nothing states
        raise FinserError(f"not readable as audio ({why(error)})", where=path, do=UNREADABLE) from None


def windows_of_pcm(stream: IO[bytes], sr: int, windows: Windows, quality: str) -> Iterator[Waveform]:
    """Yield the windows of raw 16-bit little-endian mono PCM, as soon as each is complete."""
    read = stream.read1 if hasattr(stream, "read1") else stream.read  # a pipe's `read` waits for a whole block

    def blocks() -> Iterator[np.ndarray]:
        """Yield float32 blocks; a last odd byte is dropped."""
        rest = b""
        while data := read(2 * PCM_BLOCK):
            data = rest + data
            rest = data[len(data) // 2 * 2 :]
            yield np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32) / 32768

    yield from cut(resampled(blocks(), sr, quality), windows)


def finite(blocks: Iterator[np.ndarray], where: object) -> Iterator[np.ndarray]:
    """Yield the blocks; a sample that is NaN or infinite is an error."""
    for block in blocks:
        if not np.isfinite(block).all():
            raise FinserError("holds samples that are not numbers", where=where, do="repair the sound")
        yield block


def resampled(blocks: Iterator[np.ndarray], sr: int, quality: str) -> Iterator[np.ndarray]:
    """Yield blocks of float32 samples at 22,050 Hz: the same samples as those of soxr for the whole signal."""
    if sr == SR:
        yield from blocks
        return
    stream = soxr.ResampleStream(sr, SR, 1, dtype="float32", quality=quality)
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def cut(blocks: Iterator[np.ndarray], windows: Windows) -> Iterator[Waveform]:
    """Cut a signal at 22,050 Hz into windows.

    Windows begin a hop apart. The last one ends with the signal, and begins earlier than a hop after the one before it if too few samples
    are left. A signal shorter than a window is one window.
    """
    length, hop = round(windows.length * SR), round(windows.hop * SR)
    held, first, last = np.zeros(0, np.float32), 0, np.zeros(0, np.float32)  # samples from place `first` on; the last window
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= length:
            last = held[:length]
            yield _sound(last, first)
            held, first = held[hop:], first + hop
    new = held[max(len(last) - hop, 0) :] if len(last) else held  # samples that are in no window
    if len(new):
        whole = np.concatenate([last, new])[-length:]
        yield _sound(whole, first + len(held) - len(whole))


def _sound(samples: np.ndarray, first: int) -> Waveform:
    audio, _ = to_int16(samples)
    return Waveform(audio, first / SR, (first + len(samples)) / SR)
