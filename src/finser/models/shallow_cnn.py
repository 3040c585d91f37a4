"""Two convolutions and a dense layer on log-mel spectrograms: the shallow network of a published comparison, with pooling."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from finser.config.sections.classifiers import ShallowCnn
from finser.features.log_mel import frame_numbers, reader
from finser.models.network import SpectrogramClassifier
from finser.models.pooling import Pool, frame_mask

__all__ = ["ShallowCnnNet", "begin", "frame_numbers", "reader"]
HIDDEN = 64


class ShallowCnnNet(nn.Module):
    """Two convolutions with pooling, a dense layer per step of time, pooling over time, Linear: 53,288 weights with eight classes.

    Parameters
    ----------
    n_classes : int
        Number of logits.
    bands : int
        Mel bands, a multiple of 8.
    width : int
        Channels of the first convolution; the second has twice as many.
    pooling : {'statistics', 'attention'}
        Mean and standard deviation over time, with equal or trained weights of the steps.
    """

    TRUNK = ("convolutions", "norms", "dense")  # the modules that pretraining trains
    TIME_STEP = 4  # frames per output step

    def __init__(self, n_classes: int, bands: int = 64, width: int = 32, pooling: str = "statistics", dropout: float = 0.4) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("scale", torch.ones(bands))
        self.convolutions = nn.ModuleList([nn.Conv2d(1, width, 5, 2, 2, bias=False), nn.Conv2d(width, 2 * width, 3, 1, 1, bias=False)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(2 * width)])
        self.dense = nn.Linear(2 * width * bands // 8, HIDDEN)
        self.pool = Pool(HIDDEN, pooling)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * HIDDEN, n_classes)

    def forward(self, x: Tensor, n_frames: Tensor) -> Tensor:
        """Return logits (batch, classes) of normalised spectrograms (batch, t, bands), of which the first `n_frames` (batch,) are valid."""
        steps = self.trunk(x)
        mask = frame_mask(n_frames, steps.shape[1], self.TIME_STEP)
        return self.out(self.dropout(self.pool(self.dropout(steps), mask)))

    def trunk(self, x: Tensor) -> Tensor:
        """(batch, t, bands) -> (batch, t / 4, 64)."""
        x = functional.relu(self.norms[0](self.convolutions[0](x.unsqueeze(1))))  # (batch, width, t / 2, bands / 2)
        x = functional.max_pool2d(x, 2)
        x = functional.max_pool2d(functional.relu(self.norms[1](self.convolutions[1](x))), (1, 2))  # (batch, 2 width, t / 4, bands / 8)
        return functional.relu(self.dense(x.transpose(1, 2).flatten(2)))


def begin(options: ShallowCnn, n_classes: int) -> SpectrogramClassifier:
    """Return a network with random weights from torch's generator."""
    return SpectrogramClassifier(ShallowCnnNet(n_classes, options.log_mel.bands, options.width, options.pooling, options.dropout), options)
