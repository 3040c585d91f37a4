"""A small convolutional network on log-mel spectrograms, with pooling over time; optionally a recurrent layer before it."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from finser.config.sections.classifiers import SmallCnn
from finser.features.log_mel import frame_numbers, reader
from finser.models.network import SpectrogramClassifier
from finser.models.pooling import Pool, frame_mask

__all__ = ["SmallCnnNet", "begin", "frame_numbers", "reader"]
HIDDEN = 128


class SmallCnnNet(nn.Module):
    """Four convolutions, Linear per step of time, pooling, Linear: 154,033 weights with eight classes, 64 bands, `width` 24.

    Parameters
    ----------
    n_classes : int
        Number of logits.
    bands : int
        Mel bands, a multiple of 16.
    width : int
        Channels of the first convolution; the others have 2, 8/3 and 4 times as many.
    recurrent : int
        Units per direction of a GRU over time; 0 for no GRU.
    """

    TRUNK = ("convolutions", "norms", "dense")  # the modules that pretraining trains
    TIME_STEP = 4  # frames per output step

    def __init__(
        self, n_classes: int, bands: int = 64, width: int = 24, recurrent: int = 0, pooling: str = "attention", dropout: float = 0.4
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("scale", torch.ones(bands))
        widths = [1, width, 2 * width, 8 * width // 3, 4 * width]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 5 if a == 1 else 3, 2 if a == 1 else 1, 2 if a == 1 else 1, bias=False)
            for a, b in zip(widths, widths[1:], strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in widths[1:])
        self.dense = nn.Linear(widths[-1] * bands // 16, HIDDEN)
        self.gru = nn.GRU(HIDDEN, recurrent, batch_first=True, bidirectional=True) if recurrent else None
        out = 2 * recurrent if recurrent else HIDDEN
        self.pool = Pool(out, pooling)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * out, n_classes)

    def forward(self, x: Tensor, n_frames: Tensor) -> Tensor:
        """Return logits (batch, classes) of normalised spectrograms (batch, t, bands), of which the first `n_frames` (batch,) are valid."""
        steps = self.trunk(x)
        mask = frame_mask(n_frames, steps.shape[1], self.TIME_STEP)
        if self.gru is not None:
            steps = self._recur(steps, mask)
        return self.out(self.dropout(self.pool(self.dropout(steps), mask)))

    def trunk(self, x: Tensor) -> Tensor:
        """(batch, t, bands) -> (batch, t / 4, 128)."""
        x = x.unsqueeze(1)  # (batch, 1, t, bands)
        for number, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x = norm(convolution(x))
            if number:
                x = functional.max_pool2d(x, (2, 2) if number == 1 else (1, 2))
            x = functional.relu(x)  # after pooling: the same values from fewer numbers
        return functional.relu(self.dense(x.transpose(1, 2).flatten(2)))  # (batch, t / 4, channels x bands / 16) -> (batch, t / 4, 128)

    def _recur(self, steps: Tensor, mask: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(steps, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=steps.shape[1])[0]


def begin(options: SmallCnn, n_classes: int) -> SpectrogramClassifier:
    """Return a network with random weights from torch's generator."""
    net = SmallCnnNet(n_classes, options.log_mel.bands, options.width, options.recurrent, options.pooling, options.dropout)
    return SpectrogramClassifier(net, options)
