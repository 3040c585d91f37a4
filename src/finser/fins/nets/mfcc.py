"""MFCC: one linear layer with random initial weights on the powers of the trained mel FIN in dB; 2,580 own weights."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finser.audio.decibels import FLOOR
from finser.features.cepstrum import N_MELS, N_MFCC, dct_matrix
from finser.fins.nets.base import SpectralFin, frozen
from finser.fins.nets.mel import MelFin


class MfccFin(SpectralFin):
    """(batch, 2048) -> (batch, 20), dB.

    Input and output of the layer are z-scored. Their means and standard deviations are computed on training frames, and are part of the
    saved model. Without them the mean of the first coefficient, some -500 dB, would dominate the others.
    """

    feature = "mfcc"

    def __init__(self, mel: MelFin | None = None, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.mel = frozen(mel or MelFin())
        self.weight = nn.Parameter(torch.randn(N_MELS, N_MFCC, generator=generator) / N_MELS**0.5)
        self.bias = nn.Parameter(torch.zeros(N_MFCC))
        for name, size in (("input", N_MELS), ("target", N_MFCC)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_deviation", torch.ones(size))

    def get_front_end(self) -> nn.Module:
        """Return the front end of the mel FIN."""
        return self.mel.front_end

    def set_front_end(self, front_end: nn.Module) -> None:
        """Replace the front end of the mel FIN."""
        self.mel.front_end = front_end

    def of_powers(self, powers: Tensor, rms: Tensor) -> Tensor:
        """Return MFCC in librosa's unit."""
        z = (_decibels(self.mel.of_powers(powers, rms)) - self.input_mean) / self.input_deviation  # (batch, 128)
        return (z @ self.weight + self.bias) * self.target_deviation + self.target_mean

    @torch.no_grad()
    def closed_form(self) -> "MfccFin":
        """Set the layer to the orthonormal DCT-II between z-scores; :meth:`set_scales` must come first."""
        dct = torch.from_numpy(dct_matrix()).to(self.weight)  # (20, 128)
        self.weight.copy_(self.input_deviation[:, None] * dct.T / self.target_deviation)
        self.bias.copy_((dct @ self.input_mean - self.target_mean) / self.target_deviation)
        return self

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean squared error of the z-scored coefficients."""
        return F.mse_loss(output / self.target_deviation, target / self.target_deviation)

    @torch.no_grad()
    def set_scales(self, frames: Tensor, target: Tensor) -> None:
        """Compute means and standard deviations on training frames (n, 2048) and their labels (n, 20)."""
        for name, values in (("input", _decibels(self.mel(frames))), ("target", target)):
            getattr(self, f"{name}_mean").copy_(values.mean(dim=0))
            getattr(self, f"{name}_deviation").copy_(values.std(dim=0).clamp_min(1e-3))


def _decibels(mel: Tensor) -> Tensor:
    return 10 * mel.clamp_min(FLOOR).log10()
