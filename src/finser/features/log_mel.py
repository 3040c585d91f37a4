"""Log-mel spectrograms of clips, computed from the label rows, and their augmentation in training.

:func:`masks` replaces torchaudio's ``TimeMasking`` and ``FrequencyMasking``, which draw from torch's global generator and know no clip
lengths in a padded batch; here a generator of NumPy is given, and masks start within the clip. torchaudio is not a dependency of finser.
:func:`sounding` replaces ``librosa.effects.trim``, which takes samples: here the RMS of every frame is already in the label row. Tests
compare it with librosa.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch

from finser.audio.decibels import power_to_db
from finser.audio.frames import SR
from finser.config.sections.classifiers import LogMel, SpectrogramAugment, SpectrogramNetwork
from finser.config.sections.masks import Masks
from finser.features.mel_scale import band_centres
from finser.features.rows import Reader, Row

FLOOR_DB = -80.0  # floor of the spectrograms
MARGIN = 2  # frames kept on either side when silence is trimmed
ROUND_TO = 32  # frames: few different padded lengths, because every new one costs a new plan on CPU
NOISE_POWERS = 3  # independent powers whose mean is a mel band's power under white noise


def reader(options: SpectrogramNetwork) -> Reader:
    """Return the reader of log-mel spectrograms, which reads label rows."""
    return Reader(partial(log_mel, options=options.log_mel), ("rms", "mel"))


def log_mel(row: Row, options: LogMel) -> np.ndarray:
    """Return the clip's mel powers in dB without silent ends, float32, shape (n_frames, ``options.bands``).

    Adjacent bands of the 128 are averaged in power. Ends more than ``options.trim_db`` below the loudest frame are trimmed as by
    ``librosa.effects.trim(y, top_db=trim_db)``, with a margin of two frames on either side; 0 disables trimming. Cells more than
    ``options.range_db`` below the loudest are raised to that level, as by ``librosa.power_to_db(top_db=range_db)``; 0 disables this.
    """
    power = row.features["mel"]
    if options.trim_db:
        power = power[sounding(row.features["rms"][:, 0], options.trim_db)]
    power = power.reshape(len(power), options.bands, -1).mean(2)  # (n_frames, bands)
    found = power_to_db(power, 10 ** (FLOOR_DB / 10))
    return np.maximum(found, found.max() - np.float32(options.range_db)) if options.range_db else found


def sounding(rms: np.ndarray, top_db: float) -> slice:
    """Return the range of frames from the first to the last within `top_db` of the loudest, with two more on either side."""
    loud = np.flatnonzero(rms > rms.max() * 10 ** (-top_db / 20))
    return slice(max(loud[0] - MARGIN, 0), loud[-1] + 1 + MARGIN) if len(loud) else slice(None)


def frame_numbers(options: SpectrogramNetwork) -> Callable[[Row, int], np.ndarray]:
    """Return a function (row, n_frames) -> shape (n_frames,): the indices of a spectrogram's frames among the row's frames."""
    trim_db = options.log_mel.trim_db

    def numbers(row: Row, n_frames: int) -> np.ndarray:
        """Return `n_frames` consecutive indices from the first frame after trimming."""
        kept = sounding(row.features["rms"][:, 0], trim_db) if trim_db else slice(None)
        return np.arange(n_frames) + (kept.start or 0)

    return numbers


@dataclass(frozen=True)
class CollateFrames:
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
        ``clip`` subtracts the clip's mean, ``cmn`` its mean in every band. In training this mean is taken over the crop, after the changes
        of speed and noise and before the masks; in validation and test over the whole clip. The effect of this difference on the scores
        was not measured.
    """

    mean: np.ndarray
    scale: np.ndarray
    center: str = "clip"
    crop: int = 0
    augment: SpectrogramAugment | None = None

    def __call__(self, clips: list[np.ndarray], rng: np.random.Generator | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Collate a batch; if `rng` is None, nothing is random, and clips stay whole."""
        if rng is None:
            batch, counts = padded_batch(clips, max(map(self.length, clips)))  # (batch, t, bands), (batch,)
        else:
            batch, counts = self._crops(clips, rng)
        batch = self.normalise(batch, counts)
        if rng is not None and self.augment is not None:
            batch[masks(batch.shape, counts, self.augment, rng)] = 0
        return torch.from_numpy(batch), torch.from_numpy(counts)

    def length(self, clip: np.ndarray) -> int:
        """Return the padded length of a whole clip, in frames."""
        return -(-len(clip) // ROUND_TO) * ROUND_TO

    def normalise(self, batch: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Apply the training part's mean and standard deviation, then subtract each clip's own mean; padding becomes 0."""
        valid = frames_of(counts, batch.shape[1])[:, :, None]  # (batch, t, 1)
        scaled = (batch - self.mean) * (1 / self.scale) * valid
        means = scaled.sum(1, keepdims=True) / counts[:, None, None].astype(np.float32)  # (batch, 1, bands)
        if self.center == "clip":
            means = means.mean(2, keepdims=True)
        return scaled - means * valid

    def _crops(self, clips: list[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return random crops in dB, (batch, `crop`, bands), with random speed and noise, and their frame counts (batch,)."""
        options = self.augment or SpectrogramAugment(speed_fraction=0, noise_fraction=0)
        factors = np.exp(rng.uniform(*np.log(options.speed), len(clips)))
        factors[rng.random(len(clips)) >= options.speed_fraction] = 1
        starts = rng.integers(0, np.maximum(n_frames_after(clips, factors) - self.crop, 0) + 1)
        batch, counts = resample_crops(clips, factors, starts, self.crop)
        noisy = np.flatnonzero(rng.random(len(clips)) < options.noise_fraction)
        if len(noisy):
            loudest = np.array([clips[number].max() for number in noisy])
            batch[noisy] = add_noise_db(batch[noisy], loudest - rng.uniform(*options.noise_db, len(noisy)), rng)
        return batch, counts


def padded_batch(clips: list[np.ndarray], length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return whole clips, padded with zeros to (batch, `length`, bands), and their frame counts (batch,)."""
    batch = np.zeros((len(clips), length, clips[0].shape[1]), np.float32)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    return batch, np.array([len(clip) for clip in clips])


def frames_of(counts: np.ndarray, length: int) -> np.ndarray:
    """Return which frames of a padded batch belong to a clip: frame counts (batch,) -> bool (batch, `length`)."""
    return np.arange(length) < counts[:, None]


def n_frames_after(clips: list[np.ndarray], factors: np.ndarray) -> np.ndarray:
    """Return the number of frames of each clip played `factors` times as fast, int64, shape (batch,)."""
    lengths = np.array([len(clip) for clip in clips])
    return np.maximum(np.round(lengths / factors), 1).astype(np.int64)


def resample_crops(clips: list[np.ndarray], factors: np.ndarray, starts: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return crops of clips played `factors` times as fast: shorter, and every frequency `factors` times as high.

    Linear interpolation in dB along both axes. Bands whose content would come from above half the sampling rate get the floor.

    Parameters
    ----------
    clips : list of np.ndarray
        dB, each of shape (n_frames, bands).
    factors : np.ndarray
        Speed of each clip, shape (batch,).
    starts : np.ndarray
        First frame of each crop, shape (batch,), counted after the change of speed.
    length : int
        Number of frames of a crop.

    Returns
    -------
    batch : np.ndarray
        Crops in dB, float32, shape (batch, `length`, bands). Frames beyond the end repeat the last one.
    counts : np.ndarray
        Number of frames before the end, int64, shape (batch,).
    """
    lengths = np.array([len(clip) for clip in clips])
    first = np.cumsum(lengths) - lengths  # where each clip starts in the concatenation
    at = np.minimum((starts[:, None] + np.arange(length)) * factors[:, None], lengths[:, None] - 1)  # (batch, t)
    low = at.astype(np.int64)
    high = np.minimum(low + 1, lengths[:, None] - 1)
    frames = np.concatenate(clips)
    batch = _between(frames[first[:, None] + low], frames[first[:, None] + high], (at - low)[:, :, None])
    moved = np.flatnonzero(factors != 1)
    if len(moved):
        batch[moved] = _shift_bands(batch[moved], factors[moved])
    return batch, np.minimum(n_frames_after(clips, factors) - starts, length)


def _shift_bands(batch: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Multiply the frequencies of spectrograms (batch, t, bands) by `factors` (batch,)."""
    bands = batch.shape[2]
    wanted = band_positions(bands, factors)  # (batch, bands)
    at = np.clip(wanted, 0, bands - 1)
    low = at.astype(np.int64)
    numbers = np.arange(len(batch))[:, None]
    by_band = batch.transpose(0, 2, 1)  # (batch, bands, t)
    found = _between(by_band[numbers, low], by_band[numbers, np.minimum(low + 1, bands - 1)], (at - low)[:, :, None])
    found[wanted > bands - 0.5] = FLOOR_DB
    return found.transpose(0, 2, 1)


def _between(low: np.ndarray, high: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """Interpolate linearly, float32."""
    return low + (high - low) * fraction.astype(np.float32)


@cache
def _centres(bands: int) -> np.ndarray:
    """Return the centre frequencies of the bands in Hz: librosa's 128, averaged in groups."""
    return band_centres().reshape(bands, -1).mean(1)


def band_positions(bands: int, factors: np.ndarray) -> np.ndarray:
    """Return the fractional index of every band's centre frequency / factor, (batch, bands).

    It is `bands` where that frequency is above half the sampling rate.
    """
    centres = _centres(bands)
    wanted = centres / factors[:, None]
    inside = np.interp(wanted, centres, np.arange(bands))
    return np.where(wanted > SR / 2, float(bands), inside)


def add_noise_db(batch: np.ndarray, level_db: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add white noise with a mean mel power of `level_db` (batch,) to spectrograms in dB (batch, t, bands).

    The noise is equal in every band, because the areas of the bands are equal. Its power in a cell has a gamma distribution with shape 3: a
    mean of three exponentially distributed powers.
    """
    uniform = 1 - rng.random((NOISE_POWERS, *batch.shape), np.float32)  # 0 < uniform <= 1
    noise = np.log(uniform.prod(0)) / -NOISE_POWERS  # float32, mean 1
    per_db = np.float32(math.log(10) / 10)
    power = np.exp(batch * per_db) + np.exp(level_db.astype(np.float32) * per_db)[:, None, None] * noise
    return np.log(power) / per_db


def masks(shape: tuple[int, ...], counts: np.ndarray, options: SpectrogramAugment | Masks, rng: np.random.Generator) -> np.ndarray:
    """Draw the cells that SpecAugment (Park et al. 2019) masks: ranges of bands and of frames of each clip.

    Parameters
    ----------
    shape : tuple of int
        (batch, t, bands).
    counts : np.ndarray
        Number of frames of each clip, shape (batch,).

    Returns
    -------
    np.ndarray
        bool, shape (batch, t, bands); False in padding.
    """
    n, length, bands = shape
    columns = _ranges(np.full(n, bands), bands, options.band_masks, options.band_width, rng)  # (batch, bands)
    frames = _ranges(counts, length, options.time_masks, options.time_width, rng)  # (batch, t)
    return (columns[:, None, :] | frames[:, :, None]) & frames_of(counts, length)[:, :, None]


def _ranges(sizes: np.ndarray, length: int, count: int, widest: int, rng: np.random.Generator) -> np.ndarray:
    """Return the union of `count` random ranges of 0 to `widest` indices below each of `sizes`, bool, shape (batch, `length`)."""
    widths = np.minimum(rng.integers(0, widest + 1, (count, len(sizes))), sizes)
    starts = rng.integers(0, sizes - widths + 1)
    at = np.arange(length)
    return ((starts[:, :, None] <= at) & (at < (starts + widths)[:, :, None])).any(0)


def statistics(clips: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation per band over all frames; a standard deviation of 0 becomes 1."""
    count = sum(map(len, clips))
    mean = sum(clip.sum(0, dtype=np.float64) for clip in clips) / count
    sd = np.sqrt(sum(((clip - mean) ** 2).sum(0, dtype=np.float64) for clip in clips) / count)
    return mean.astype(np.float32), np.where(sd > 0, sd, 1).astype(np.float32)
