"""Chroma: a weighted sum of the front end's powers for each of twelve pitch classes, divided by the largest; 13,056 own weights."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finser.audio.frames import DIMENSIONS, N_FFT, SR
from finser.fins.nets.base import SpectralFin, frozen
from finser.fins.nets.transform import N_POWERS, FrontEnd, of_powers

TINY = torch.finfo(torch.float32).tiny


class ChromaFin(SpectralFin):
    """(batch, 2048) -> (batch, 12). A gain on the frame has no effect; digital silence gives zeros, as in librosa."""

    feature = "chroma"

    def __init__(self, front_end: FrontEnd | None = None, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.front_end = frozen(front_end or FrontEnd())
        self.weight = nn.Parameter(torch.rand(N_POWERS, DIMENSIONS["chroma"], generator=generator))  # squared, hence positive

    def of_powers(self, powers: Tensor, rms: Tensor) -> Tensor:
        """Return the energy per pitch class, relative to the frame's strongest."""
        classes = powers @ self.weight.square()  # (batch, 12)
        return classes / classes.amax(dim=1, keepdim=True).clamp_min(TINY)

    @torch.no_grad()
    def closed_form(self) -> "ChromaFin":
        """Set the weights to ``librosa.filters.chroma(sr=22050, n_fft=2048, tuning=0)`` on the front end's powers."""
        from librosa.filters import chroma  # librosa's numba takes half a second to import

        bank = torch.from_numpy(chroma(sr=SR, n_fft=N_FFT, tuning=0.0, n_chroma=DIMENSIONS["chroma"]))  # (12, 1025)
        self.weight.copy_(of_powers(bank).sqrt())
        return self

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean squared error."""
        return F.mse_loss(output, target)
