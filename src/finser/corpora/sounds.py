"""Properties of recordings, measured by reading them to the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from finser.config.sections.resample import Resample
from finser.corpora import headers, mpeg
from finser.corpora.folders import size_of_audio
from finser.corpora.segments import TOLERANCE, Recording
from finser.errors import FinserError
from finser.files import checksum, why

USED = Resample()  # rate and resampler of the converted clips
Span = tuple[float | None, float | None]  # start and end of a clip in its file, in seconds


@dataclass(frozen=True)
class Sound:
    """Properties of one clip.

    `sha256` is that of its file, in which the clip begins at frame `first`. `peak` and `rms` are of full scale 1, over all channels. `used`
    is the peak after conversion: the mean of the channels at 22,050 Hz, rounded to 16 bit; None if no sample is left.
    """

    sha256: str
    first: int
    sample_rate: int
    channels: int
    n_samples: int
    seconds: float
    peak: float
    rms: float
    used: float | None


def measure(path: Path, where: object = None, span: Span = (None, None)) -> Sound:
    """Read an audio file, or a part of it, to its end.

    Parameters
    ----------
    path : Path
        The file.
    where : object, optional
        Name of the file in errors; default `path`.
    span : tuple
        Start and end in seconds; None for those of the file.

    Raises
    ------
    FinserError
        The file is empty, truncated, unreadable, without samples, or a Git LFS pointer, its header states no length, or the part is not
        in it.
    """
    (sound,) = measure_parts((path, path if where is None else where, [span]))
    if isinstance(sound, FinserError):
        raise sound
    return sound


def measure_parts(job: tuple[Path, object, Sequence[Span]]) -> list[Sound | FinserError]:
    """Measure the parts of one file, ``(path, name in errors, spans)``; return errors as values, so that other files are measured, too."""
    path, where, spans = job
    try:
        size_of_audio(path, where)
        headers.check(path, where)
        mpeg.check(path, where)
        digest = checksum(path)
    except FinserError as error:
        return [error] * len(spans)
    return [_measured(path, where, span, digest) for span in spans]


def _measured(path: Path, where: object, span: Span, digest: str) -> Sound | FinserError:
    try:
        return _read(path, where, span, digest)
    except FinserError as error:
        return error


def _read(path: Path, where: object, span: Span, digest: str) -> Sound:
    peak, squares, n_samples, mono = 0.0, 0.0, 0, []
    try:
        with Recording(path) as file:
            for block in file.blocks_of(*span, where, "float64"):  # (frames, channels)
                peak = max(peak, float(np.abs(block).max()))
                squares += float(np.square(block).sum())
                n_samples += len(block)
                mono.append(block.astype(np.float32).mean(axis=1))  # (frames,)
            rate, channels = file.samplerate, file.channels
            first, promised = file.frames_of(*span, where)
            least = 0 if span[1] is None else promised - TOLERANCE * rate
            if file.length_is_estimated and n_samples >= least:
                promised = n_samples
    except (soundfile.SoundFileError, OSError) as error:
        raise FinserError(f"not readable as audio ({why(error)})", where=where, do="copy or download it again") from None
    if n_samples == 0 or n_samples != promised:
        raise FinserError("truncated audio", where=where, expected=f"{promised or 'some'} samples", found=n_samples)
    if not np.isfinite(squares):
        raise FinserError("samples that are no numbers (NaN or infinite)", where=where, do="repair the file")
    rms = float(np.sqrt(squares / (n_samples * channels)))
    return Sound(digest, first, rate, channels, n_samples, n_samples / rate, peak, rms, peak_as_used(np.concatenate(mono), rate))


def peak_as_used(mono: np.ndarray, rate: int) -> float | None:
    """Return the peak of a float32 clip (n,) at `rate` Hz after resampling to 22,050 Hz and rounding to 16 bit; None: no sample.

    Before this conversion, some silent clips are not silent: channels of opposite sign, a lowest bit of 24, floats of 1e-30, a tone above
    11,025 Hz.
    """
    y = mono if rate == USED.sr else soxr.resample(mono, rate, USED.sr, quality=USED.quality)
    return float(np.rint(np.abs(y).max() * 32_768)) / 32_768 if len(y) else None
