"""A temporal network on the outputs of the five FINs.

Frames -> five FINs -> 162 features (mel in dB, log RMS) -> divided by the training part's deviation, minus the clip's mean
-> three convolutions over time -> attention pooling of mean and deviation -> Linear. In the arm `frozen` only what follows
the FINs learns, from features computed once per clip; in the arm `tuned` gradients reach the FINs, too.
"""

import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from finser import layout, seeds
from finser.classifiers import learning
from finser.classifiers.inputs import AUDIO, Examples
from finser.emotions import EMOTIONS
from finser.files import read_json
from finser.fins.store import load_fin
from finser.frames import HOP_LENGTH, N_FFT, to_float
from finser.params import FinEnsemble, Params
from finser.progress import track
from finser.shards import DIMENSIONS

SOURCE = AUDIO
PIECE = 128  # frames that go through the FINs at a time: larger pieces fall out of the caches
N_FEATURES = sum(DIMENSIONS.values())
KERNEL = 5  # frames
ROUND_TO = 32  # frames: batches of few different lengths, because every new one costs a new plan on CPU
FLOOR = 1e-10  # librosa's for mel powers; an RMS below it is as good as zero


class Once(nn.Module):
    """A module that several FINs share: asked for the same input again, it gives the same output without computing."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.forget()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output for `x`."""
        if self.known is None or self.known.shape != x.shape or not torch.equal(self.known, x):
            self.known, self.output = x, self.module(x)
        return self.output

    def forget(self) -> None:
        """Hold no tensor, and no graph, any longer."""
        self.known = self.output = None


class Fins(nn.Module):
    """Five FINs side by side; equal front ends are one module, computed once.

    Parameters
    ----------
    fins : dict
        Feature -> network from frames, shape (n, 2048), to (n, dim).
    """

    def __init__(self, fins: dict[str, nn.Module]) -> None:
        super().__init__()
        self.fins = nn.ModuleDict({feature: fins[feature] for feature in DIMENSIONS})
        self.shared = list(_share(self.fins.values(), "front_end"))  # a list, not a ModuleList: they belong to the FINs

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Features of raw frames: (n, 2048) -> (n, 162): log RMS, ZCR, 12 chroma, 20 MFCC, 128 mel in dB."""
        out = {feature: fin(frames) for feature, fin in self.fins.items()}
        for module in self.shared:
            module.forget()
        out["rms"] = out["rms"].clamp_min(FLOOR).log()
        out["mel"] = 10 * out["mel"].clamp_min(FLOOR).log10()
        features = torch.cat(list(out.values()), dim=1)  # (n, 162)
        # nothing is to be learned from digital silence, where a quotient's gradient overflows
        return torch.where(frames.any(dim=1, keepdim=True), features, features.detach())

    def of_waves(self, waves: torch.Tensor) -> torch.Tensor:
        """Features of padded samples: (batch, 512 (t - 1) + 2048) -> (batch, t, 162)."""
        frames = waves.unfold(1, N_FFT, HOP_LENGTH)  # (batch, t, 2048)
        pieces = frames.reshape(-1, N_FFT).split(PIECE)
        return torch.cat([self(piece) for piece in pieces]).reshape(*frames.shape[:2], -1)


class Head(nn.Module):
    """From features of frames to logits; a clip's result does not depend on how far its batch is padded."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(N_FEATURES))
        widths = [N_FEATURES, channels, channels, channels]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, KERNEL, padding=KERNEL // 2, bias=False) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in self.convolutions)
        self.score = nn.Sequential(nn.Linear(channels, 64), nn.Tanh(), nn.Linear(64, 1))
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * channels, len(EMOTIONS))

    def forward(self, features: torch.Tensor, n_frames: torch.Tensor) -> torch.Tensor:
        """Logits, shape (batch, 8), of features, shape (batch, t, 162), of which the first `n_frames` (batch,) count."""
        mask = (torch.arange(features.shape[1], device=features.device) < n_frames[:, None]).unsqueeze(1)  # (batch, 1, t)
        x = (features / self.scale).transpose(1, 2) * mask  # (batch, 162, t)
        x = (x - x.sum(2, keepdim=True) / n_frames[:, None, None]) * mask
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = functional.relu(norm(convolution(x))) * mask  # (batch, channels, t)
        return self.out(self.dropout(self._pool(self.dropout(x), mask)))

    def _pool(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Mean and standard deviation over time under learned weights: (batch, channels, t) -> (batch, 2 channels)."""
        score = self.score(x.transpose(1, 2)).transpose(1, 2)  # (batch, 1, t)
        weight = score.masked_fill(~mask, -torch.inf).softmax(2)
        mean = (weight * x).sum(2)
        variance = (weight * (x - mean[..., None]) ** 2).sum(2)
        return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)

    def scale_by(self, features: list[np.ndarray]) -> None:
        """Take each feature's standard deviation within clips from the training part; a constant feature stays as it is."""
        n_frames = sum(map(len, features))
        variance = sum(len(clip) * clip.astype(np.float64).var(0) for clip in features) / n_frames
        self.scale.copy_(torch.from_numpy(np.where(variance > 0, np.sqrt(variance), 1)))


class Ensemble(nn.Module):
    """FINs and head in one, for the arm in which both learn."""

    def __init__(self, fins: Fins, head: Head) -> None:
        super().__init__()
        self.fins, self.head = fins, head

    def forward(self, waves: torch.Tensor, n_frames: torch.Tensor) -> torch.Tensor:
        """Logits, shape (batch, 8), of padded samples, shape (batch, 512 (t - 1) + 2048)."""
        return self.head(self.fins.of_waves(waves), n_frames)


def initial(params: Params, folder: Path) -> dict:
    """The five FINs as trained, and a head of random weights, drawn from ``initialise.seed``."""
    options = params.train_classifier.fin_ensemble
    head = {"channels": options.channels, "dropout": options.dropout}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.seed_for(params.initialise.seed, "fin_ensemble", "initial"))
        save_file(Head(**head).state_dict(), folder / "model.safetensors")
    for feature in DIMENSIONS:
        _copy_fin(layout.fin(feature), folder / "fins" / feature)
    return {"weights": "FINs as trained, head random", "net": head, "arm": options.arm}


def load(folder: Path) -> "FinEnsembleClassifier":
    """FINs and head, initial or trained."""
    head = Head(**read_json(folder / "config.json")["net"])
    head.load_state_dict(load_file(folder / "model.safetensors"))
    fins = Fins({feature: load_fin(folder / "fins" / feature)[0] for feature in DIMENSIONS})
    return FinEnsembleClassifier(fins, head, folder)


class FinEnsembleClassifier:
    """FINs and head behind the interface of all classifiers.

    Parameters
    ----------
    source : Path
        The folder that they were loaded from.
    """

    def __init__(self, fins: Fins, head: Head, source: Path) -> None:
        self.fins, self.head, self.source = fins, head, source
        self.tuned = False

    @property
    def n_params(self) -> int:
        """What learns: the head, and the FINs if they do."""
        return learning.n_trainable(self._learning().parameters())

    def fit(self, train: Examples, validation: Examples, options: FinEnsemble, names: tuple) -> list[dict]:
        """Train the head, or all; see :func:`finser.classifiers.learning.learn`."""
        self.tuned = options.arm == "tuned"
        features = self.features(train.inputs)
        self.head.scale_by(features)
        groups = [{"params": list(self.head.parameters()), "lr": options.learning_rate}]
        if self.tuned:
            self.fins.requires_grad_(True)
            # no decay towards zero: a FIN's weights mean something
            groups.append({"params": list(self.fins.parameters()), "lr": options.fin_learning_rate, "weight_decay": 0.0})
        collate = partial(collate_waves if self.tuned else collate_features, crop=options.crop_frames)
        given = (train.inputs, validation.inputs) if self.tuned else (features, self.features(validation.inputs))
        return learning.learn(
            self._learning(),
            learning.Batches(given[0], train.targets, collate, options.batch_size, names),
            learning.Batches(given[1], validation.targets, collate, options.batch_size),
            learning.Schedule(groups, options.epochs, options.weight_decay),
            names,
        )

    @torch.no_grad()
    def features(self, clips: list[np.ndarray]) -> list[np.ndarray]:
        """What the FINs make of each clip: int16 samples -> float32, shape (n_frames, 162)."""
        where = learning.device()
        fins = self.fins.eval().to(where)
        result = []
        for clip in track(clips, "FIN features"):
            (wave, _) = collate_waves([clip], None, round_to=1)
            result.append(fins.of_waves(wave.to(where))[0].cpu().numpy())
        fins.cpu()
        return result

    def probabilities(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Softmax of the logits, shape (n, 8), of int16 clips."""
        return learning.predict(self.head, self.features(inputs), collate_features)

    def save(self, folder: Path) -> None:
        """The head as model.safetensors, the FINs in their own format under fins/: what is not tuned is copied as it was."""
        save_file(self.head.state_dict(), folder / "model.safetensors")
        for feature, fin in self.fins.fins.items():
            _copy_fin(self.source / "fins" / feature, folder / "fins" / feature)
            if self.tuned:
                weights = {name.replace(".module.", "."): tensor.clone() for name, tensor in fin.state_dict().items()}
                save_file(weights, folder / "fins" / feature / "model.safetensors")

    def _learning(self) -> nn.Module:
        return Ensemble(self.fins, self.head) if self.tuned else self.head


def collate_features(
    clips: list[np.ndarray], rng: np.random.Generator | None, crop: int = 0, round_to: int = ROUND_TO
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad clips of features to one length, in training also crop them at random to `crop` frames.

    Parameters
    ----------
    clips : list of np.ndarray
        Each float32, shape (n_frames, 162).
    rng : np.random.Generator, optional
        Draws the crops; without one clips stay whole, padded to a multiple of `round_to` frames.

    Returns
    -------
    tuple of torch.Tensor
        Features (batch, t, 162), and how many frames of each count, int64 (batch,).
    """
    length, starts, counts = _places([len(clip) for clip in clips], rng, crop, round_to)
    batch = np.zeros((len(clips), length, N_FEATURES), np.float32)
    for row, clip, start, count in zip(batch, clips, starts, counts, strict=True):
        row[:count] = clip[start : start + count]
    return torch.from_numpy(batch), torch.from_numpy(counts)


def collate_waves(
    clips: list[np.ndarray], rng: np.random.Generator | None, crop: int = 0, round_to: int = ROUND_TO
) -> tuple[torch.Tensor, torch.Tensor]:
    """As :func:`collate_features`, for int16 clips: padded samples (batch, 512 (t - 1) + 2048) in -1..1, and frame counts."""
    length, starts, counts = _places([len(clip) // HOP_LENGTH + 1 for clip in clips], rng, crop, round_to)
    batch = np.zeros((len(clips), HOP_LENGTH * (length - 1) + N_FFT), np.float32)
    for row, clip, start, count in zip(batch, clips, starts, counts, strict=True):
        padded = np.pad(clip, N_FFT // 2)[HOP_LENGTH * start : HOP_LENGTH * (start + count - 1) + N_FFT]
        row[: len(padded)] = to_float(padded)
    return torch.from_numpy(batch), torch.from_numpy(counts)


def _places(lengths: list[int], rng: np.random.Generator | None, crop: int, round_to: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Length of the batch, and of each clip the first frame taken and how many frames."""
    have = np.array(lengths, np.int64)
    if rng is None:
        return -(-max(lengths) // round_to) * round_to, np.zeros_like(have), have
    return crop, rng.integers(0, np.maximum(have - crop, 0) + 1), np.minimum(have, crop)


def _share(fins: Iterable[nn.Module], name: str) -> Iterator[Once]:
    """Replace all submodules called `name` that hold equal weights by one module; yields each that is left."""
    known: list[Once] = []
    for parent in [module for fin in fins for module in fin.modules()]:
        module = parent._modules.get(name)
        if module is not None and not isinstance(module, Once):
            once = next((other for other in known if _equal(other.module, module)), None)
            if once is None:
                once = Once(module)
                known.append(once)
                yield once
            setattr(parent, name, once)


def _equal(a: nn.Module, b: nn.Module) -> bool:
    one, two = a.state_dict(), b.state_dict()
    return type(a) is type(b) and one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def _copy_fin(source: Path, target: Path) -> None:
    """Copy what :func:`finser.fins.store.load_fin` reads."""
    load_fin(source)  # a missing or broken FIN is named here
    target.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(source / name, target / name)
