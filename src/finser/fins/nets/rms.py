"""RMS: root of a weighted mean of squared linear combinations of four samples; 20 weights, all random at first."""

import torch
from torch import Tensor, nn

from finser.audio.frames import N_FFT
from finser.fins.nets.base import Fin

TAPS = 4
SMALLEST = 1e-20  # a mean square; one step of int16 in a frame is 4.5e-13


class RmsFin(Fin):
    """(batch, 2048) -> (batch, 1). Homogeneous of degree one: a gain on the frame scales the output."""

    feature = "rms"

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.taps = nn.Parameter(0.5 * torch.randn(TAPS, TAPS, generator=generator))
        self.mix = nn.Parameter(0.5 * torch.randn(TAPS, generator=generator))  # squared, hence positive

    def forward(self, frames: Tensor) -> Tensor:
        """Return the RMS of each frame."""
        groups = frames.reshape(-1, N_FFT // TAPS, TAPS) @ self.taps  # (batch, 512, 4)
        energy = groups.square().mean(dim=1) @ self.mix.square()  # (batch,)
        # the root has no finite gradient at zero: leave silence out
        return (energy.clamp_min(SMALLEST).sqrt() * (energy > 0))[:, None]

    @torch.no_grad()
    def closed_form(self) -> "RmsFin":
        """Set the weights to the exact formula: each tap is one sample, and all have one weight."""
        self.taps.copy_(torch.eye(TAPS))
        self.mix.fill_(TAPS**-0.5)
        return self

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Squared relative error: quiet and loud frames have one weight."""
        return ((output - target) / target.clamp_min(SMALLEST**0.5)).square().mean()
