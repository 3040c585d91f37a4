"""A temporal network on 162 features per frame, which FINs compute, or librosa, or both.

Frames -> features -> divided by the training part's standard deviation, minus the clip's mean -> three convolutions over time -> pooling of
mean and standard deviation -> Linear.

In the arms `librosa` and `frozen` the features are computed once per clip, and only the layers after them are trained. In the arms `tuned`,
`formula` and `uninitialised` the FINs are trained, too. These three arms have the same network and differ in its initial weights: trained
FINs, librosa's formula, or random numbers.

With equal settings, `tuned` against `formula` measures what imitation adds to the formula, and `formula` against `uninitialised` measures
what the formula adds to the network. The constants (means and standard deviations of training frames) are part of `tuned` and `formula`
only.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from finser.audio.frames import DIMENSIONS, HOP_LENGTH, N_FFT, to_float
from finser.config.sections.classifiers import FinEnsemble, SpectrogramAugment
from finser.features import log_mel as spectrograms
from finser.features.rows import Reader, Row
from finser.files import read_json
from finser.fins.features import N_FEATURES, Fins, columns, copy_fin, load_fins, of_librosa, random_fins
from finser.models.network import WEIGHTS, NetworkClassifier, predict, put_weights
from finser.models.pooling import Pool, frame_mask
from finser.progress import track
from finser.training.batches import Collate
from finser.training.device import start_torch

KERNEL = 5  # frames
FEATURE_MASK = 20  # largest width of a mask, in features
SCALED_BY = 300  # largest number of training clips that set the standard deviations, if the FINs are trained
ClipInput = tuple[np.ndarray, np.ndarray]  # int16 samples of whole frames, or empty; float32 (t, 162) of librosa's features, or (0, 162)


class Head(nn.Module):
    """Head from features of frames to logits; frames after a clip's end are masked."""

    def __init__(self, n_classes: int, channels: int, pooling: str, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(N_FEATURES))  # stays zero: each clip's own mean is subtracted
        self.register_buffer("scale", torch.ones(N_FEATURES))
        widths = [N_FEATURES, channels, channels, channels]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, KERNEL, padding=KERNEL // 2, bias=False) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in self.convolutions)
        self.pool = Pool(channels, pooling)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * channels, n_classes)

    def forward(self, features: Tensor, n_frames: Tensor) -> Tensor:
        """Return logits (batch, classes) of normalised features (batch, t, 162), of which the first `n_frames` (batch,) are valid."""
        mask = frame_mask(n_frames, features.shape[1])  # (batch, t)
        x = features.transpose(1, 2)  # (batch, 162, t)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = functional.relu(norm(convolution(x))) * mask[:, None]  # (batch, channels, t)
        return self.out(self.dropout(self.pool(self.dropout(x.transpose(1, 2)), mask)))

    def normalise(self, features: Tensor, n_frames: Tensor) -> Tensor:
        """Divide by the standard deviations, and subtract the clip's mean: (batch, t, 162), with zeros after `n_frames` (batch,)."""
        mask = frame_mask(n_frames, features.shape[1])[..., None]  # (batch, t, 1)
        scaled = features / self.scale * mask
        return (scaled - scaled.sum(1, keepdim=True) / n_frames[:, None, None]) * mask


class Ensemble(nn.Module):
    """FINs and head in one network, for the arms in which both are trained."""

    def __init__(self, fins: Fins, head: Head) -> None:
        super().__init__()
        self.fins, self.head = fins, head

    def embed(self, waves: Tensor, given: Tensor, keep: Tensor, n_frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return the head's inputs.

        The arguments are padded samples (batch, 512 (t - 1) + 2048), librosa's features and masks, both (batch, t, 162), and numbers of
        frames (batch,).
        """
        features = self.fins.of_waves(waves) + given  # no column is nonzero in both
        return self.head.normalise(features, n_frames) * keep, n_frames

    def forward(self, waves: Tensor, given: Tensor, keep: Tensor, n_frames: Tensor) -> Tensor:
        """Return logits, shape (batch, classes)."""
        return self.head(*self.embed(waves, given, keep, n_frames))


def reader(options: FinEnsemble) -> Reader:
    """Return the reader: samples for FINs, labels for librosa's features and for trimming, stored outputs for frozen FINs."""
    wanted = {feature for feature in DIMENSIONS if feature not in options.fins} | ({"rms"} if options.trim_db else set())
    features = tuple(feature for feature in DIMENSIONS if feature in wanted)
    stored = "fins" if options.arm == "frozen" else ""
    return Reader(partial(as_clip, options=options), features, audio=bool(options.fins), stored=stored, beside=features if stored else ())


def as_clip(row: Row, options: FinEnsemble) -> ClipInput:
    """Return samples and librosa's features, without silence at both ends. A stored row gives all features and no samples."""
    sounds = spectrograms.sounding(row.features["rms"][:, 0], options.trim_db) if options.trim_db else slice(None)
    given = {name: values[sounds] for name, values in row.features.items() if name not in (*options.fins, "fins")}
    if "fins" in row.features:
        stored = row.features["fins"][sounds]  # (t, 162)
        features = of_librosa(given) if given else np.zeros_like(stored)
        for feature in options.fins:
            features[:, columns(feature)] = stored[:, columns(feature)]
        return np.zeros(0, np.int16), features
    audio = np.zeros(0, np.int16) if row.audio is None else samples_of(row.audio, sounds)
    return audio, (of_librosa(given) if given else np.zeros((0, N_FEATURES), np.float32))


def samples_of(audio: np.ndarray, frames: slice) -> np.ndarray:
    """Return the samples of a range of frames of a clip, with zero padding as in librosa's ``center=True``."""
    starts = range(0, len(audio) + 1, HOP_LENGTH)[frames]
    return np.pad(audio, N_FFT // 2)[starts[0] : starts[-1] + N_FFT]


def begin(options: FinEnsemble, n_classes: int) -> "FinEnsembleClassifier":
    """Return a classifier whose head and FINs have random weights from torch's generator."""
    head = Head(n_classes, options.channels, options.pooling, options.dropout)
    return FinEnsembleClassifier(Fins(random_fins(options.fins)), head, options)


class FinEnsembleClassifier(NetworkClassifier):
    """Features and head with the interface of all classifiers.

    Attributes
    ----------
    origin : Path, optional
        Folder that the FINs were loaded from.
    """

    def __init__(self, fins: Fins, head: Head, options: FinEnsemble) -> None:
        self.head = head
        super().__init__(head, options)
        self._use(fins)
        self.origin: Path | None = None

    @property
    def learns_below(self) -> bool:
        """Whether the FINs are trained."""
        return self.options.arm in ("tuned", "formula", "uninitialised")

    def _use(self, fins: Fins) -> None:
        """Set the FINs. The trained network is the head, with the FINs below it in the arms that train them."""
        self.fins = fins
        self.net = Ensemble(fins, self.head) if self.learns_below else self.head

    def receive(self, folder: Path) -> None:
        """Load the FINs from `folder` in the arms that need them; raise an error if they are missing.

        The arm `formula` keeps their constants (means and standard deviations of training frames, which scale MFCC), and replaces every
        weight by librosa's formula. It differs from `tuned` in the weights alone.
        """
        if self.options.arm in ("frozen", "tuned", "formula"):
            self._load_fins(folder / "fins")
        if self.options.arm == "formula":
            self.fins.closed_form()

    def prepare(self, train: list[ClipInput], validation: list[ClipInput]) -> tuple[list[Any], list[Any]]:
        """Compute the standard deviations on the training part; return samples if the FINs are trained, else features."""
        # trained FINs need samples; then features serve the standard deviations only, and some clips are enough for those
        features = self.features(train[:: -(-len(train) // SCALED_BY)] if self.learns_below else train)
        self.head.scale.copy_(torch.from_numpy(deviations(features)))
        return (train, validation) if self.learns_below else (features, self.features(validation))

    def groups(self) -> list[dict]:
        """Return the parameter groups of the head, and of the FINs if they are trained."""
        groups = [{"params": list(self.head.parameters()), "lr": self.options.learning_rate}]
        if self.learns_below:
            self.fins.requires_grad_(True)
            # no weight decay: zero is no meaningful value of a FIN's weights
            groups.append({"params": list(self.fins.parameters()), "lr": self.options.fin_learning_rate, "weight_decay": 0.0})
        return groups

    @torch.no_grad()
    def features(self, clips: list[ClipInput]) -> list[np.ndarray]:
        """Compute the features of each clip, float32, shape (n_frames, 162)."""
        if not any(len(samples) for samples, _ in clips):
            return [given for _, given in clips]
        where = start_torch()
        fins = self.fins.eval().to(where)
        collate = CollateWaves(round_to=1)
        result = []
        for clip in track(clips, "FIN features"):
            waves, given, _, _ = collate([clip], None)
            result.append((fins.of_waves(waves.to(where)).cpu() + given)[0].numpy())
        fins.cpu()
        return result

    def probabilities(self, inputs: list[ClipInput]) -> np.ndarray:
        """Return the softmax of the logits, shape (n, classes), of clips."""
        return predict(self.head, self.features(inputs), self._collate_features(False))

    def save(self, folder: Path) -> None:
        """Write the head as model.safetensors, and the FINs in their own format to fins/; frozen weights are copied."""
        save_file(self.head.state_dict(), folder / WEIGHTS)
        for feature, fin in self.fins.fins.items():
            target = folder / "fins" / feature
            config = {"feature": feature, "init": "random", "speakers": []}
            if self.origin is not None:
                copy_fin(self.origin / feature, target)
                config = read_json(target / "config.json") | ({"init": "closed_form"} if self.options.arm == "formula" else {})
            target.mkdir(parents=True, exist_ok=True)
            (target / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
            if self.learns_below:
                save_file({name: tensor.clone() for name, tensor in fin.state_dict().items()}, target / WEIGHTS)

    def restore(self, folder: Path) -> None:
        """Load the classifier that was saved in `folder`."""
        put_weights(self.head, folder / WEIGHTS)
        if self.options.fins:
            self._load_fins(folder / "fins")

    def _load_fins(self, folder: Path) -> None:
        self._use(Fins(load_fins(folder, self.options.fins)))
        self.origin = folder

    def collate(self, *, training: bool) -> Collate:
        """Return a collate of samples if the FINs are trained, else of features; it crops and masks in training only."""
        if not self.learns_below:
            return self._collate_features(training)
        return CollateWaves(self.options.crop_frames, self._masks()) if training else CollateWaves()

    def _collate_features(self, training: bool) -> spectrograms.CollateFrames:
        mean, scale = self.head.mean.numpy(), self.head.scale.numpy()
        plain = spectrograms.CollateFrames(mean, scale, "cmn")
        return spectrograms.CollateFrames(mean, scale, "cmn", self.options.crop_frames, self._masks()) if training else plain

    def _masks(self) -> SpectrogramAugment:
        return SpectrogramAugment(
            speed_fraction=0,
            noise_fraction=0,
            band_masks=self.options.band_masks,
            time_masks=self.options.time_masks,
            band_width=FEATURE_MASK,
        )


class CollateWaves:
    """Pad clips to one length; in training also crop them at random.

    Parameters
    ----------
    crop : int
        Number of frames of a training clip.
    masks : SpectrogramAugment, optional
        SpecAugment masks of the features in training.
    round_to : int
        Whole clips are padded to a multiple of this number of frames.
    """

    def __init__(self, crop: int = 0, masks: SpectrogramAugment | None = None, round_to: int = spectrograms.ROUND_TO) -> None:
        self.crop, self.masks, self.round_to = crop, masks, round_to

    def length(self, clip: ClipInput) -> int:
        """Return the padded length of a whole clip, in frames."""
        return -(-_n_frames(clip) // self.round_to) * self.round_to

    def __call__(self, clips: list[ClipInput], rng: np.random.Generator | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return samples (batch, 512 (t - 1) + 2048) in -1..1, librosa's features and masks (batch, t, 162), frame counts (batch,)."""
        have = np.array([_n_frames(clip) for clip in clips])
        length = self.crop if rng is not None else max(map(self.length, clips))
        starts = np.zeros_like(have) if rng is None else rng.integers(0, np.maximum(have - length, 0) + 1)
        counts = np.minimum(have, length)
        waves = np.zeros((len(clips), HOP_LENGTH * (length - 1) + N_FFT), np.float32)
        given = np.zeros((len(clips), length, N_FEATURES), np.float32)
        for row, ((wave, features), start, count) in enumerate(zip(clips, starts, counts, strict=True)):
            samples = wave[HOP_LENGTH * start :][: HOP_LENGTH * (count - 1) + N_FFT]
            waves[row, : len(samples)] = to_float(samples)
            if len(features):
                given[row, :count] = features[start : start + count]
        keep = np.repeat(spectrograms.frames_of(counts, length)[:, :, None], N_FEATURES, axis=2)  # (batch, t, 162)
        if rng is not None and self.masks is not None:
            keep &= ~spectrograms.masks(keep.shape, counts, self.masks, rng)
        return torch.from_numpy(waves), torch.from_numpy(given), torch.from_numpy(keep).float(), torch.from_numpy(counts)


def deviations(features: list[np.ndarray]) -> np.ndarray:
    """Return each feature's standard deviation within clips, float32, shape (162,); a standard deviation of 0 becomes 1."""
    n_frames = sum(map(len, features))
    variance = sum(len(clip) * clip.astype(np.float64).var(0) for clip in features) / n_frames
    return np.where(variance > 0, np.sqrt(variance), 1).astype(np.float32)


def _n_frames(clip: ClipInput) -> int:
    return len(clip[1]) or (len(clip[0]) - N_FFT) // HOP_LENGTH + 1
