"""Log-mel spectrograms of clips, computed from the label rows, and their augmentation in training."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch

from finser.audio.decibels import db_to_power, power_to_db
from finser.audio.frames import DIMENSIONS, SR
from finser.config.sections.classifiers import LogMel, SpectrogramAugment, SpectrogramNetwork
from finser.config.sections.masks import Masks
from finser.features.rows import Row, Source

FLOOR_DB = -80.0  # floor of the spectrograms
MARGIN = 2  # frames kept on either side when silence is trimmed
ROUND_TO = 32  # frames: few different padded lengths, because every new one costs a new plan on CPU
NOISE_FREEDOM = 3.0  # shape of the gamma distribution of a mel band's power under white noise


def source(options: SpectrogramNetwork) -> Source:
    """Return the source of log-mel spectrograms, which reads label rows."""
    return Source(partial(log_mel, options=options.log_mel), ("rms", "mel"))


def log_mel(row: Row, options: LogMel) -> np.ndarray:
    """Return the clip's mel powers in dB without silent ends, float32, shape (n_frames, ``options.bands``).

    Adjacent bands of the 128 are averaged in power. Ends more than ``options.trim_db`` below the loudest frame are trimmed as by
    ``librosa.effects.trim(y, top_db=trim_db)``, with a margin of two frames on either side; 0 disables trimming.
    """
    power = row.features["mel"]
    if options.trim_db:
        power = power[sounding(row.features["rms"][:, 0], options.trim_db)]
    power = power.reshape(len(power), options.bands, -1).mean(2)  # (n_frames, bands)
    return power_to_db(power, 10 ** (FLOOR_DB / 10))


def sounding(rms: np.ndarray, top_db: float) -> slice:
    """Return the range of frames from the first to the last within `top_db` of the loudest, with two more on either side."""
    loud = np.flatnonzero(rms > rms.max() * 10 ** (-top_db / 20))
    return slice(max(loud[0] - MARGIN, 0), loud[-1] + 1 + MARGIN) if len(loud) else slice(None)


def frame_numbers(options: SpectrogramNetwork) -> Callable[[Row, int], np.ndarray]:
    """Return a function (row, n_frames) -> shape (n_frames,): the indices of a spectrogram's frames among the row's frames."""
    trim_db = options.log_mel.trim_db

    def numbers(row: Row, n_frames: int) -> np.ndarray:
        """Return `n_frames` consecutive indices from the first frame after trimming."""
        kept = sounding(row.features["rms"][:, 0], trim_db) if trim_db else slice(0)
        return np.arange(n_frames) + (kept.start or 0)

    return numbers


@dataclass(frozen=True)
class Collate:
    """Collate clips to (batch, t, bands), normalised and padded with zeros, and frame counts (batch,).

    Attributes
    ----------
    mean, scale : np.ndarray
        Per band, from the training part.
    crop : int
        Number of frames of a training clip; shorter clips are padded.
    augment : SpectrogramAugment, optional
        Augmentation of training clips.
    center : str
        ``clip`` subtracts the clip's mean, ``cmn`` its mean in every band. In training the mean is that of the crop, after augmentation; in
        validation and test it is that of the whole clip. The effect of this difference on the scores was not measured.
    """

    mean: np.ndarray
    scale: np.ndarray
    center: str = "clip"
    crop: int = 0
    augment: SpectrogramAugment | None = None

    def __call__(self, clips: list[np.ndarray], rng: np.random.Generator | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Collate a batch; if `rng` is None, nothing is random, and clips stay whole."""
        if rng is not None:
            clips = [self._cut(self._change(clip, rng), rng) for clip in clips]
        clips = [self.normalise(clip) for clip in clips]
        length = max(map(self.length, clips)) if rng is None else self.crop
        batch = np.zeros((len(clips), length, len(self.mean)), np.float32)
        for row, clip in zip(batch, clips, strict=True):
            row[: len(clip)] = clip if rng is None or self.augment is None else mask(clip, self.augment, rng)
        return torch.from_numpy(batch), torch.tensor([len(clip) for clip in clips])

    def length(self, clip: np.ndarray) -> int:
        """Return the padded length of a whole clip, in frames."""
        return -(-len(clip) // ROUND_TO) * ROUND_TO

    def normalise(self, clip: np.ndarray) -> np.ndarray:
        """Apply the training part's mean and standard deviation, then subtract the clip's own mean."""
        scaled = (clip - self.mean) / self.scale
        return scaled - (scaled.mean() if self.center == "clip" else scaled.mean(0))

    def _change(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        options = self.augment
        if options is None:
            return clip
        if rng.random() < options.speed_share:
            clip = change_speed(clip, math.exp(rng.uniform(*map(math.log, options.speed))))
        if rng.random() < options.noise_share:
            clip = add_noise(clip, rng.uniform(*options.noise_db), rng)
        return clip

    def _cut(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        start = int(rng.integers(0, max(len(clip) - self.crop, 0) + 1))
        return clip[start : start + self.crop]


def change_speed(clip: np.ndarray, factor: float) -> np.ndarray:
    """Return the spectrogram of the clip played `factor` times as fast: shorter, and every frequency `factor` times as high.

    Linear interpolation in dB along both axes. Bands whose content would come from above half the sampling rate get the floor.

    Parameters
    ----------
    clip : np.ndarray
        dB, shape (n_frames, bands).
    """
    times = np.arange(max(round(len(clip) / factor), 1)) * factor
    moved = _interpolate(clip, np.minimum(times, len(clip) - 1))
    at = band_positions(clip.shape[1], factor)
    result = _interpolate(moved.T, np.clip(at, 0, clip.shape[1] - 1)).T
    result[:, at > clip.shape[1] - 0.5] = FLOOR_DB
    return result


@cache
def _centres(bands: int) -> np.ndarray:
    """Return the centre frequencies of the bands in Hz: librosa's 128, averaged in groups."""
    import librosa

    return librosa.mel_frequencies(DIMENSIONS["mel"] + 2, fmin=0.0, fmax=SR / 2)[1:-1].reshape(bands, -1).mean(1)


def band_positions(bands: int, factor: float) -> np.ndarray:
    """Return for every band the fractional index of its centre frequency / `factor`; above ``bands - 0.5`` beyond the last band."""
    centres = _centres(bands)
    wanted = centres / factor
    inside = np.interp(wanted, centres, np.arange(bands))
    return np.where(wanted > SR / 2, float(bands), inside)


def add_noise(clip: np.ndarray, below_db: float, rng: np.random.Generator) -> np.ndarray:
    """Add white noise whose mel power is `below_db` dB below the clip's loudest cell.

    The noise is equal in every band, because the areas of the bands are equal.
    """
    level = db_to_power(clip.max() - below_db)
    power = db_to_power(clip) + level * rng.gamma(NOISE_FREEDOM, 1 / NOISE_FREEDOM, clip.shape)
    return power_to_db(power, 0.0).astype(np.float32)


def mask(clip: np.ndarray, options: SpectrogramAugment | Masks, rng: np.random.Generator) -> np.ndarray:
    """Apply SpecAugment (Park et al. 2019) to a normalised clip: ranges of bands and of frames become zero, the mean."""
    clip = clip.copy()
    for count, widest, axis in ((options.band_masks, options.band_width, 1), (options.time_masks, options.time_width, 0)):
        for _ in range(count):
            width = min(int(rng.integers(0, widest + 1)), clip.shape[axis])
            start = int(rng.integers(0, clip.shape[axis] - width + 1))
            clip[(slice(None),) * axis + (slice(start, start + width),)] = 0
    return clip


def statistics(clips: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation per band over all frames; a standard deviation of 0 becomes 1."""
    count = sum(map(len, clips))
    mean = sum(clip.sum(0, dtype=np.float64) for clip in clips) / count
    sd = np.sqrt(sum(((clip - mean) ** 2).sum(0, dtype=np.float64) for clip in clips) / count)
    return mean.astype(np.float32), np.where(sd > 0, sd, 1).astype(np.float32)


def _interpolate(rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate rows at real positions between 0 and len(rows) - 1, float32."""
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, len(rows) - 1)
    share = (at - low).astype(np.float32)[:, None]
    return rows[low] * (1 - share) + rows[high] * share
