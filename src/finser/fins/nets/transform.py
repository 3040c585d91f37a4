"""The trainable three-stage transform that chroma, mel and MFCC share.

A frame of 2,048 samples is multiplied by a trainable window and reshaped to (32, 8, 8). One complex 17 x 32 matrix multiplies its first
axis. Complex 8 x 8 matrices then multiply each of the 17 resulting rows (8, 8) along one axis, then along the other; every line has a
matrix of its own. The squared moduli are 17 * 64 = 1,088 powers.

The discrete Fourier transform is one setting of these weights (Cooley & Tukey 1965; a butterfly matrix: Dao et al. 2019): output (k1, k2)
is then bin k1 + 32 k2, or its mirror image 2048 - k. All 1,025 bins occur, 63 of them twice.
"""

import torch
from torch import Tensor, nn

from finser.audio.frames import N_FFT

ROWS = 17  # k1 = 0 .. 16: with their mirror images, all bins
N1, N2 = 32, 64  # 2,048 = 32 * 64
NARROW, WIDE = (8, 8), (64, 1)  # the ways to read 64 as a product
N_POWERS = ROWS * N2


def bins() -> Tensor:
    """Return the bin of the discrete Fourier transform (0 .. 1024) that each of the 1,088 outputs represents."""
    k = _k().reshape(-1)
    return torch.where(k > N_FFT // 2, N_FFT - k, k)


def mirrored() -> Tensor:
    """Return whether an output represents the mirror image of its bin, the complex conjugate; bool, shape (1088,)."""
    return _k().reshape(-1) > N_FFT // 2


def of_powers(bank: Tensor) -> Tensor:
    """Convert a filter bank over bins (bands, 1025) to one over outputs (1088, bands); bins that occur twice count half each."""
    times = torch.bincount(bins(), minlength=bank.shape[1])  # (1025,)
    return (bank / times)[:, bins()].T


def _k() -> Tensor:
    return torch.arange(ROWS)[:, None] + N1 * torch.arange(N2)  # (17, 64)


class FrontEnd(nn.Module):
    """Frames (batch, 2048) -> powers (batch, 1088), with 37,952 trainable weights.

    Parameters
    ----------
    generator : torch.Generator, optional
        Generator of the random initial weights: the matrices from N(0, 0.7^2), N(0, 0.5^2) and N(0, 0.5^2), the window from N(0.5, 0.1^2).
    sides : tuple of int
        Sizes of the last two stages' matrices. :data:`WIDE`, with 144,576 weights, has one large matrix per row instead of eight and eight
        small ones, and less structure.
    """

    feature = "front_end"

    def __init__(self, generator: torch.Generator | None = None, sides: tuple[int, int] = NARROW) -> None:
        super().__init__()
        self.sides = a, b = sides
        self.window = nn.Parameter(0.5 + 0.1 * torch.randn(N_FFT, generator=generator))
        self.first = nn.Parameter(0.7 * torch.randn(2, ROWS, N1, generator=generator))  # real, imaginary
        # of sample n = 64 n1 + B a + b and bin k = k1 + 32 (c + A d), where A and B are the sides
        self.second = nn.Parameter(0.5 * torch.randn(2, ROWS, b, a, a, generator=generator))  # k1, b: a -> c
        self.third = nn.Parameter(0.5 * torch.randn(2, ROWS, a, b, b, generator=generator))  # k1, c: b -> d

    def spectrum(self, frames: Tensor) -> Tensor:
        """Return the complex outputs before squaring, as (17, batch, 128): 64 real parts, then 64 imaginary parts."""
        columns = (frames * self.window).reshape(-1, N1, N2)
        rows = (self.first.reshape(2 * ROWS, N1) @ columns).reshape(-1, 2, ROWS, *self.sides)  # (batch, 2, k1, a, b)
        lines = rows.permute(2, 4, 0, 1, 3).flatten(3) @ _complex(self.second)  # (k1, b, batch, 2 c)
        lines = lines.unflatten(3, (2, -1)).permute(0, 4, 2, 3, 1).flatten(3) @ _complex(self.third)  # (k1, c, batch, 2 d)
        return lines.unflatten(3, (2, -1)).permute(0, 2, 3, 4, 1).reshape(ROWS, -1, 2 * N2)

    def forward(self, frames: Tensor) -> Tensor:
        """Return powers, shape (batch, 1088)."""
        real, imaginary = self.spectrum(frames).square().split(N2, dim=2)  # (17, batch, 64) each
        return (real + imaginary).transpose(0, 1).reshape(-1, N_POWERS)

    @torch.no_grad()
    def closed_form(self) -> "FrontEnd":
        """Set the weights to the Fourier transform of a Hann-windowed frame, exactly, and return the module."""
        k1, n1 = torch.arange(ROWS), torch.arange(N1)
        first, second = (torch.arange(side) for side in self.sides)  # a and c, b and d
        self.window.copy_(torch.hann_window(N_FFT, dtype=torch.float64))
        self.first.copy_(_phasors(k1[:, None] * n1 * N2))
        k = k1[:, None, None] + N1 * first  # (k1, 1, c)
        self.second.copy_(_phasors(k * first[:, None] * len(second))[:, :, None])  # a -> c, the same for every b
        k = k.transpose(1, 2)[..., None] + N1 * len(first) * second  # (k1, c, 1, d)
        self.third.copy_(_phasors(k * second[:, None]))  # b -> d
        return self


def _complex(matrix: Tensor) -> Tensor:
    """Return complex matrices, real and imaginary parts (2, ..., in, out), as real ones (..., 2 in, 2 out)."""
    real, imaginary = matrix
    return torch.cat([torch.cat([real, imaginary], -1), torch.cat([-imaginary, real], -1)], -2)


def _phasors(turns: Tensor) -> Tensor:
    """Return exp(-2 pi i turns / 2048) as real and imaginary parts, float64, shape (2, ...)."""
    angle = 2 * torch.pi * (turns % N_FFT).double() / N_FFT
    return torch.stack([angle.cos(), -angle.sin()])
