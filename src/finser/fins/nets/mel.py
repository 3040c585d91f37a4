"""Mel powers: each of 128 outputs is a weighted sum of the front end's powers in and around its band; 2,953 own weights.

The connections are fixed: each output is connected to its band in ``librosa.filters.mel``, and to three bins more on either side. Their
weights are trained from random initial values.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finser.audio.decibels import FLOOR
from finser.audio.frames import N_FFT, SR
from finser.features.cepstrum import N_MELS
from finser.fins.nets.base import SpectralFin, frozen
from finser.fins.nets.transform import N_POWERS, FrontEnd, bins, of_powers

MARGIN = 3  # bins on either side of a band
SMALLEST = 1e-16  # a mel power below librosa's floor of 1e-10, which keeps roots and quotients finite


class MelFin(SpectralFin):
    """(batch, 2048) -> (batch, 128), power. A gain of g on the frame scales the output by g^2.

    Attributes
    ----------
    log_weight : float
        Weight in the loss of the logarithms' errors, relative to the amplitudes' errors.
    """

    feature = "mel"
    log_weight = 3.0

    def __init__(self, front_end: FrontEnd | None = None, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.front_end = frozen(front_end or FrontEnd())
        wired = connections()
        self.register_buffer("wired", wired, persistent=False)
        self.weight = nn.Parameter(0.1 * torch.randn(len(wired), generator=generator).abs())  # squared, hence positive

    def of_powers(self, powers: Tensor, rms: Tensor) -> Tensor:
        """Return mel powers in librosa's unit."""
        matrix = self.weight.new_zeros(N_POWERS * N_MELS).scatter_(0, self.wired, self.weight.square())
        return powers @ matrix.reshape(N_POWERS, N_MELS) * rms.square()

    @torch.no_grad()
    def set_scales(self, frames: Tensor, target: Tensor) -> None:
        """Scale the weights so that every band's mean over training frames (n, 2048) equals that of their labels (n, 128)."""
        factor = target.mean(dim=0) / self(frames).mean(dim=0).clamp_min(SMALLEST)
        self.weight.mul_(factor.sqrt()[self.wired % N_MELS])

    @torch.no_grad()
    def closed_form(self) -> "MelFin":
        """Set the weights to ``librosa.filters.mel(sr=22050, n_fft=2048)`` on the front end's powers."""
        from librosa.filters import mel  # librosa's numba takes half a second to import

        bank = torch.from_numpy(mel(sr=SR, n_fft=N_FFT, n_mels=N_MELS))  # (128, 1025)
        self.weight.copy_(of_powers(bank).to(self.weight).reshape(-1)[self.wired].sqrt())
        return self

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Relative error of the amplitudes, plus the weighted smooth-L1 error of the logarithms above librosa's floor."""
        amplitude = (output.clamp_min(SMALLEST).sqrt() - target.clamp_min(SMALLEST).sqrt()).square()
        level = target.mean(dim=1, keepdim=True).clamp_min(SMALLEST)
        logarithms = [power.clamp_min(FLOOR).log10() for power in (output, target)]
        return (amplitude / level).mean() + self.log_weight * F.smooth_l1_loss(*logarithms, beta=0.1)


def connections() -> Tensor:
    """Return the indices of the weights in the flattened matrix (1088 powers, 128 bands), ascending; int64, shape (2953,).

    Band m of ``librosa.filters.mel`` is a triangle between points m and m + 2 of ``librosa.mel_frequencies``.
    """
    from librosa.core.convert import mel_frequencies  # librosa's numba takes half a second to import

    points = mel_frequencies(N_MELS + 2, fmin=0, fmax=SR / 2) * N_FFT / SR  # in bins
    first = torch.from_numpy(np.floor(points[:-2]).astype(int) + 1 - MARGIN)
    last = torch.from_numpy(np.ceil(points[2:]).astype(int) - 1 + MARGIN)
    bin_of_power = bins()[:, None]
    return ((bin_of_power >= first) & (bin_of_power <= last)).reshape(-1).nonzero()[:, 0]
