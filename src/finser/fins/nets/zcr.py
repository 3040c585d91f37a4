"""Zero-crossing rate: soft signs of neighbouring samples, mixed, squared, averaged; 89 weights, all random at first."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from finser.audio.frames import HOP_LENGTH, N_FFT
from finser.fins.nets.base import Fin

UNITS = 8
MIXED = 4
PIECE = 65_536  # samples per piece: eight times as many numbers fit in the cache
STEEP = 8.0  # log10 of a slope at which softsign is the sign, to 1e-6
THRESHOLD = 0.02  # in steps of int16; below the smallest sample, also at -20 dB
STEP = 1 / 32768  # of int16: the offsets' unit


class SoftSigns(torch.autograd.Function):
    """Return softsign(slope x + shift) of samples (n,) for several slopes and shifts (units,): (units, n).

    torch's own softsign keeps and reads more of these large arrays, which takes two thirds more time. Samples get no gradient.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, samples: Tensor, slope: Tensor, shift: Tensor) -> Tensor:
        """z / (1 + abs(z)), in place."""
        z = torch.addcmul(shift[:, None], samples[None], slope[:, None])
        signs = z.div_(z.abs().add_(1))
        ctx.save_for_backward(samples, signs)
        return signs

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        """The derivative of softsign is (1 - abs(softsign))^2."""
        samples, signs = ctx.saved_tensors
        inner = signs.abs().neg_().add_(1).square_().mul_(gradient)  # (units, n)
        return None, inner @ samples, inner.sum(dim=1)


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
        """Return the fraction of the samples whose sign differs from that of the sample before."""
        energies = self._energies(frames.reshape(-1)).reshape(frames.shape)  # (batch, 2048); the last is of two frames
        return (energies[:, :-1].mean(dim=1) + self.bias)[:, None]

    def of_waves(self, waves: Tensor) -> Tensor:
        """Return the ZCR of all frames of padded samples: (batch, 512 (t - 1) + 2048) -> (batch, t, 1).

        A pair of samples has the same energy in each of the four frames that contain it, so that it is computed once.
        """
        energies = self._energies(waves.reshape(-1)).reshape(waves.shape)  # (batch, samples)
        hops = energies.unflatten(1, (-1, HOP_LENGTH)).sum(dim=2)  # (batch, t + 3)
        frames = hops.unfold(1, N_FFT // HOP_LENGTH, 1).sum(dim=2) - energies[:, N_FFT - 1 :: HOP_LENGTH]  # (batch, t)
        return (frames / (N_FFT - 1) + self.bias)[..., None]

    def _energies(self, samples: Tensor) -> Tensor:
        """Return the mixed energy of every sample and the next: (n,) -> (n,), the last one 0."""
        slope = 10**self.log_slope  # per step of int16
        size = PIECE if samples.device.type == "cpu" else len(samples)
        starts = range(0, len(samples) - 1, size)
        parts = [self._energies_of(samples[start : start + size + 1], slope / STEP, self.offset * slope) for start in starts]
        return torch.cat([*parts, samples.new_zeros(1)])

    def _energies_of(self, samples: Tensor, slope: Tensor, shift: Tensor) -> Tensor:
        signs = SoftSigns.apply(samples, slope, shift)  # (8, n)
        first, second = self.pairs.transpose(1, 2)  # (4, 8) each
        mixed = torch.addmm(self.pairs_bias[:, None], first, signs[:, :-1]) + second @ signs[:, 1:]  # (4, n - 1)
        return self.mix @ mixed.square()

    @torch.no_grad()
    def closed_form(self) -> "ZcrFin":
        """Set one unit to the sign, with zero above its threshold, and one pair to the difference of neighbouring signs."""
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
