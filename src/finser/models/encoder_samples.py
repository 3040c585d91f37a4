"""Samples of clips as inputs of an encoder that is trained further: crops, changes of speed, noise, masks."""

from dataclasses import dataclass

import numpy as np
import soxr
import torch
from torch import Tensor

from finser.audio.augment.changes import mix, power
from finser.config.sections.classifiers import SampleAugment
from finser.encoders.base import RATE, Encoder, padded
from finser.features.log_mel import masks

QUICK = "LQ"  # quality of soxr for changes of speed, which are random anyway
PER_FRAME = 160  # samples of a frame of spectrograms


@dataclass(frozen=True)
class CollateSamples:
    """Collate samples at 16 kHz to the encoder's inputs (batch, t, ...) and numbers of samples (batch,).

    Attributes
    ----------
    encoder : Encoder
        What prepares the inputs.
    crop : int
        Number of samples to which training clips are cropped; shorter clips are padded. 0: whole clips, up to the encoder's window.
    augment : SampleAugment, optional
        Augmentation of training clips.
    """

    encoder: Encoder
    crop: int = 0
    augment: SampleAugment | None = None

    def __call__(self, clips: list[np.ndarray], rng: np.random.Generator | None) -> tuple[Tensor, Tensor]:
        """Collate a batch; if `rng` is None, nothing is random."""
        cut = [self._whole(clip) if rng is None else self._changed(clip, rng) for clip in clips]
        counts = np.array([len(clip) for clip in cut])
        batch = padded([self.encoder.prepare(clip) for clip in cut])  # (batch, t, ...)
        if rng is not None and self.augment is not None and batch.ndim == 3 and not self.encoder.masks_padding:
            frames = np.minimum(1 + counts // PER_FRAME, batch.shape[1])
            batch[torch.from_numpy(masks(tuple(batch.shape), frames, self.augment, rng))] = 0
        return batch, torch.from_numpy(counts)

    def length(self, clip: np.ndarray) -> int:
        """Return the number of samples of a whole clip."""
        return len(self._whole(clip))

    def _whole(self, clip: np.ndarray) -> np.ndarray:
        """Return a clip, cropped to the centre if it is longer than the encoder's window, padded with zeros if it is too short."""
        spare = max(len(clip) - self.encoder.window, 0)
        return self._long_enough(clip[spare // 2 : spare // 2 + self.encoder.window])

    def _long_enough(self, clip: np.ndarray) -> np.ndarray:
        return np.pad(clip, (0, max(self.encoder.shortest - len(clip), 0)))

    def _changed(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return a random crop of a clip with random speed and noise."""
        options = self.augment
        factor = float(np.exp(rng.uniform(*np.log(options.speed)))) if rng.random() < options.speed_fraction else 1.0
        need = int(np.ceil(self.crop * factor))
        start = int(rng.integers(0, max(len(clip) - need, 0) + 1))
        piece = clip[start : start + need]
        if factor != 1:
            piece = soxr.resample(piece, RATE * factor, RATE, quality=QUICK)[: self.crop]
        if rng.random() < options.noise_fraction and power(piece):
            noise = rng.standard_normal(len(piece), dtype=np.float32)
            piece = mix(piece, noise, float(rng.uniform(*options.noise_db)))
        return self._long_enough(piece)
