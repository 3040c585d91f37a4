"""Training frames of a FIN, augmented recordings and synthetic frames, with their targets; and its validation frames."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from finser.config.params import Params
from finser.config.sections.train_fin import Disturbance
from finser.features.cepstrum import N_MELS
from finser.fins.frames.data import FrameSet, clip_ids, draw
from finser.fins.frames.disturbance import disturb
from finser.fins.frames.excitation import excite
from finser.fins.frames.recordings import Recordings, gather
from finser.fins.frames.targets import Targets
from finser.fins.nets.base import as_float


@dataclass(frozen=True)
class TrainingFrames:
    """Source of a FIN's training frames, and its validation frames.

    Attributes
    ----------
    feature : str
        Feature of the FIN.
    train : Recordings
        The training clips.
    disturbance : Disturbance
        Augmentation of the frames of recordings.
    validation : FrameSet
        Frames of the validation speakers, without augmentation.
    targets : Targets
        librosa's feature of frames, on the device of the training.
    excitation : float
        Fraction of a batch that is synthetic (:mod:`finser.fins.frames.excitation`) instead of recorded.
    """

    feature: str
    train: Recordings
    disturbance: Disturbance
    validation: FrameSet
    targets: Targets
    excitation: float = 0.0

    def digest(self) -> str:
        """Return a digest of all that determines a training."""
        found = hashlib.blake2b(f"{self.feature} {self.disturbance} {self.excitation} {self.train.digest}".encode())
        for values in (self.validation.frames, self.validation.labels):
            found.update(values.tobytes())
        return found.hexdigest()

    def batch(self, size: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return frames (size, 2048) and their targets (size, dim), drawn with `random`, a generator on the CPU."""
        excited = round(self.excitation * size)
        frames, labels = self._recorded(size - excited, random)
        if not excited:
            return frames, labels
        synthetic = excite(excited, random).to(frames.device)
        return torch.cat([frames, synthetic]), torch.cat([labels, self.targets(synthetic)])

    def _recorded(self, size: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return augmented frames of recordings, and their targets."""
        device = self.targets.window.device
        drawn, labels = self.train.draw(size, random)
        frames, gain = disturb(as_float(torch.from_numpy(drawn), device), self.disturbance, random)
        if labels is None:
            return frames, self.targets(frames)
        return frames, scaled(self.feature, torch.from_numpy(labels).to(device), gain)


def training_frames(params: Params, feature: str, device: str, excitation: float = 0.0) -> TrainingFrames:
    """Return training clips in every variant, and frames of the validation speakers' originals."""
    data = params.train_fin.data
    clips = clip_ids(params, data.corpora, "train")
    labelled = params.label.definition != "frame"  # these labels depend on the whole clip, so they are read, not computed
    train = gather(data.corpora, clips, params.variants, feature, labelled=labelled)
    validation = draw(params, feature, data.corpora, role="validation", size=data.validation_frames)
    return TrainingFrames(feature, train, data.disturbance, validation, Targets(feature).to(device), excitation)


def scaled(feature: str, label: Tensor, gain: Tensor) -> Tensor:
    """Return librosa's default labels (batch, dim) after a gain g (batch, 1) on the clip.

    RMS scales by g, mel by g^2; chroma and ZCR stay. Of MFCC only the zeroth coefficient shifts, since librosa's floor is relative to the
    loudest band of the clip.
    """
    if feature in ("rms", "mel"):
        return label * gain ** (1 if feature == "rms" else 2)
    if feature != "mfcc":
        return label
    return torch.cat([label[:, :1] + 20 * gain.log10() * N_MELS**0.5, label[:, 1:]], dim=1)
