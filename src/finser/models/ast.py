"""The Audio Spectrogram Transformer (Gong et al. 2021, "AST: Audio Spectrogram Transformer", Interspeech), by transformers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from finser.config.sections.classifiers import Ast
from finser.config.sections.masks import Masks
from finser.encoders.sizes import EXPANSION, PATCH, size_of
from finser.features import filter_banks
from finser.features.filter_banks import BANDS, row_frames
from finser.features.log_mel import masks
from finser.features.rows import Reader, Row
from finser.models.network import NetworkClassifier

PADDING = 0.0  # the published extractor pads the logarithms of short clips with it, before normalisation
TOKENS = 2  # class and distillation


class AstNet(nn.Module):
    """``transformers.ASTModel``, the mean of its class and distillation tokens, dropout, Linear: 85,529,864 weights with eight classes.

    Random weights follow the publication: patch, token and position embeddings have a standard deviation of 0.02.

    Attributes
    ----------
    grid : tuple of int
        Number of patches along frequency and along time.
    TIME_STEP, n_frames, n_steps : int
        Frames per step of the trunk's output, frames of every input, and steps of every output.
    """

    TRUNK = ("encoder",)  # the modules that pretraining trains

    def __init__(self, options: Ast, n_classes: int) -> None:
        from transformers import ASTConfig, ASTModel  # takes seconds

        super().__init__()
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("scale", torch.ones(1))
        size = size_of(options.model_size)
        self.grid = grid(options)
        self.TIME_STEP, self.n_frames, self.n_steps = options.time_stride, options.frames, self.grid[1]
        self.encoder = ASTModel(
            ASTConfig(
                hidden_size=size.width,
                num_hidden_layers=size.layers,
                num_attention_heads=size.heads,
                intermediate_size=EXPANSION * size.width,
                patch_size=PATCH,
                num_mel_bins=BANDS,
                max_length=options.frames,
                frequency_stride=options.frequency_stride,
                time_stride=options.time_stride,
            )
        )
        embeddings = self.encoder.embeddings
        for tokens in (embeddings.cls_token, embeddings.distillation_token, embeddings.position_embeddings):
            nn.init.trunc_normal_(tokens, std=0.02)  # transformers initialises with zeros here: the two tokens would stay equal
        self.dropout = nn.Dropout(options.dropout)
        self.out = nn.Linear(size.width, n_classes)

    def forward(self, x: Tensor, n_frames: Tensor) -> Tensor:
        """Return logits (batch, classes) of normalised filter banks (batch, t, 128).

        Attention includes the padding, as published, so `n_frames` is not used.
        """
        return self.out(self.dropout(self.encoder(x).pooler_output))

    def trunk(self, x: Tensor) -> Tensor:
        """Average the patches over frequency: (batch, t, 128) -> (batch, steps, width).

        Step i covers the frames from ``time_stride * i`` on.
        """
        patches = self.encoder(x).last_hidden_state[:, TOKENS:]  # (batch, rows x columns, width)
        return patches.unflatten(1, self.grid).mean(1)


def grid(options: Ast) -> tuple[int, int]:
    """Return the number of patches along frequency and along time."""
    return (BANDS - PATCH) // options.frequency_stride + 1, (options.frames - PATCH) // options.time_stride + 1


@dataclass(frozen=True)
class CollateFilterBanks:
    """Collate clips to (batch, `frames`, 128), normalised, and the number of frames of each clip, (batch,).

    Attributes
    ----------
    mean, scale : float
        From the training part: mean, and twice the standard deviation.
    frames : int
        Number of frames to which clips are cropped or padded. Crops are random in training, and central otherwise.
    masks : Masks, optional
        SpecAugment masks in training.
    """

    mean: float
    scale: float
    frames: int
    masks: Masks | None = None

    def __call__(self, clips: list[np.ndarray], rng: np.random.Generator | None) -> tuple[Tensor, Tensor]:
        """Collate a batch; if `rng` is None, nothing is random."""
        clips = [self._cut(clip, rng) for clip in clips]
        batch = np.full((len(clips), self.frames, BANDS), PADDING, np.float32)
        for row, clip in zip(batch, clips, strict=True):
            row[: len(clip)] = clip
        batch = ((batch - self.mean) / self.scale).astype(np.float32)
        counts = np.array([len(clip) for clip in clips])
        if rng is not None and self.masks is not None:
            batch[masks(batch.shape, counts, self.masks, rng)] = 0
        return torch.from_numpy(batch), torch.from_numpy(counts)

    def length(self, clip: np.ndarray) -> int:
        """Return `frames`, the length of every collated clip."""
        return self.frames

    def _cut(self, clip: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        spare = max(len(clip) - self.frames, 0)
        start = spare // 2 if rng is None else int(rng.integers(0, spare + 1))
        return clip[start : start + self.frames]


class AstClassifier(NetworkClassifier):
    """The transformer as a classifier."""

    net: AstNet
    options: Ast

    def normalise_on(self, inputs: list[np.ndarray]) -> None:
        """Compute one mean and one standard deviation over all cells of the training clips, as Gong et al. do per data set."""
        mean, sd = statistics(inputs)
        self.net.mean.fill_(mean)
        self.net.scale.fill_(2 * sd)

    def collate(self, *, training: bool) -> CollateFilterBanks:
        """Return a collate with random crops and masks for training, with central crops otherwise."""
        options = self.options
        return CollateFilterBanks(float(self.net.mean), float(self.net.scale), options.frames, options.masks if training else None)


def statistics(clips: list[np.ndarray]) -> tuple[float, float]:
    """Return mean and standard deviation over all cells; a standard deviation of 0 becomes 1."""
    count = sum(clip.size for clip in clips)
    mean = sum(clip.sum(dtype=np.float64) for clip in clips) / count
    sd = np.sqrt(sum(((clip - mean) ** 2).sum(dtype=np.float64) for clip in clips) / count)
    return float(mean), float(sd) if sd > 0 else 1.0


def reader(_: Ast) -> Reader:
    """Return the reader of filter banks."""
    return filter_banks.reader()


def frame_numbers(_: Ast) -> Callable[[Row, int], np.ndarray]:
    """Return a function from a row to the positions of its filter banks' frames among librosa's frames."""
    return row_frames


def begin(options: Ast, n_classes: int) -> AstClassifier:
    """Return a network with random weights from torch's generator."""
    return AstClassifier(AstNet(options, n_classes), options)
