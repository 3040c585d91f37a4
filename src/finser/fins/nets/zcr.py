"""Zero-crossing rate: soft signs of neighbouring samples, mixed, squared, averaged; 89 weights, all from random."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finser.audio.frames import N_FFT
from finser.fins.nets.base import Fin

UNITS = 8
MIXED = 4
IN_CACHE = 8  # frames at a time: each becomes 8 times as large, and from 2 MB on memory comes afresh from the system, which costs more
STEEP = 8.0  # log10 of a slope at which softsign is the sign, to 1e-6
THRESHOLD = 0.02  # in steps of int16; below the smallest sample, also at -20 dB
STEP = 1 / 32768  # of int16: the offsets' unit


class ZcrFin(Fin):
    """(batch, 2048) -> (batch, 1)."""

    feature = "zcr"

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.offset = nn.Parameter(0.1 * torch.randn(UNITS, generator=generator))  # in steps of int16
        self.log_slope = nn.Parameter(2 + 0.5 * torch.randn(UNITS, generator=generator))  # log10, per step of int16
        self.pairs = nn.Parameter(torch.randn(2, UNITS, MIXED, generator=generator) / UNITS**0.5)
        self.pairs_bias = nn.Parameter(torch.zeros(MIXED))
        self.mix = nn.Parameter(torch.randn(MIXED, generator=generator) / MIXED)
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, frames: Tensor) -> Tensor:
        """Share of the samples whose sign differs from the sample before."""
        return torch.cat([self._share(part) for part in frames.split(IN_CACHE if frames.device.type == "cpu" else len(frames))])

    def _share(self, frames: Tensor) -> Tensor:
        slope = 10 ** self.log_slope[:, None]
        signs = F.softsign(torch.addcmul(self.offset[:, None] * slope, frames[:, None], slope / STEP))  # (batch, 8, 2048)
        mixed = F.conv1d(signs, self.pairs.permute(2, 1, 0), self.pairs_bias)  # (batch, 4, 2047)
        return (mixed.square().mean(dim=2) @ self.mix + self.bias)[:, None]

    @torch.no_grad()
    def closed_form(self) -> "ZcrFin":
        """One unit gives the sign (zero lies above the threshold, every negative sample below), one pair the neighbours' difference."""
        for weight in self.parameters():
            weight.zero_()
        self.offset.fill_(THRESHOLD)
        self.log_slope.fill_(STEEP)
        self.pairs[:, 0, 0] = torch.tensor([-1.0, 1.0])
        self.mix[0] = (N_FFT - 1) / N_FFT / 4  # a change is 2, its square 4; librosa divides by all 2,048 samples
        return self

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean squared error."""
        return F.mse_loss(output, target)
