"""Stage `resample`: convert any recording to 22,050 Hz mono int16, with soxr and without clipping."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from finser import layout
from finser.audio.frames import to_int16
from finser.audio.shards import AudioRow, write_audio
from finser.corpora.clips import read_clips
from finser.corpora.segments import Recording
from finser.errors import FinserError
from finser.files import why
from finser.progress import track
from finser.seeds import seed_for
from finser.workers import map_in_order

if TYPE_CHECKING:
    from finser.config.params import Params  # predictions import this module, and do not need it


def decode(path: Path, start: float | None = None, end: float | None = None) -> tuple[np.ndarray, int]:
    """Read a recording, or its part from `start` to `end` seconds, and mix its channels.

    Returns
    -------
    y : np.ndarray
        float32, shape (n,), the mean of the channels, in -1..1; samples of up to 24 bits are exact.
    sr : int
        Hz.

    Raises
    ------
    FinserError
        libsndfile cannot read the file, or it has no samples, or samples that are NaN or infinite.
    """
    try:
        with Recording(path) as file:
            blocks, sr = list(file.blocks_of(start, end, path, "float32")), file.samplerate  # (frames, channels) each
    except (soundfile.LibsndfileError, OSError, TypeError) as error:  # TypeError: raw samples, whose rate nothing states
        raise FinserError(
            f"not readable as audio ({why(error)})", where=path, do="restore the file; if it is a corpus's, then run fetch and index"
        ) from None
    if not blocks:
        raise FinserError("holds no sample", where=path)
    samples = np.concatenate(blocks)  # (n, channels)
    if not np.isfinite(samples).all():
        raise FinserError("holds samples that are not numbers", where=path, do="restore or repair the file")
    return mixed(samples), sr


def mixed(samples: np.ndarray) -> np.ndarray:
    """Return the mean of the channels, shape (n,), of samples (n, channels)."""
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)  # a mean over one column takes half as long as resampling


def resample_clip(path: Path, sr: int, quality: str, start: float | None = None, end: float | None = None) -> tuple[np.ndarray, float]:
    """Decode, mix and resample one recording, or its part from `start` to `end` seconds; return int16 samples (n,) and the gain applied."""
    y, original = decode(path, start, end)
    if original != sr:
        y = soxr.resample(y, original, sr, quality=quality)
    if not len(y):
        raise FinserError("too short to resample", where=path, found=f"{original} Hz")
    return to_int16(y)


def resample(params: "Params", corpus: str) -> None:
    """Step: convert every kept clip of `corpus`, ordered by clip_id, to data/audio/CORPUS/."""
    clips = [clip for clip in read_clips(corpus).to_pylist() if clip["status"] == "ok"]
    clips.sort(key=lambda clip: clip["clip_id"])
    jobs = ((params.seed, params.resample, layout.raw(corpus), clip) for clip in clips)
    write_audio(layout.audio(corpus), track(map_in_order(_row, jobs), f"resample {corpus}", len(clips)))


def _row(job: tuple) -> AudioRow:
    seed, settings, folder, clip = job
    pcm, gain = resample_clip(folder / clip["path"], settings.sr, settings.quality, clip["start"], clip["end"])
    names = {key: clip[key] for key in ("clip_id", "corpus", "speaker", "emotion")}
    return AudioRow(**names, variant="original", seed=seed_for(seed, clip["clip_id"], "original"), draw={"gain": gain}, audio=pcm)
