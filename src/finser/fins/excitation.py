"""Synthetic frames that tell frequencies apart: tones and bands of noise.

Speech lights most of the spectrum at once. A net that begins at random and hears nothing else cannot tell which of its outputs
should stand for which frequency; one that hears tones, too, can: docs/fins.md has the measurements.
"""

import torch
from torch import Tensor

from finser.audio.frames import N_FFT

TONES = 3  # at most, in a frame
LOWEST = 5e-4  # cycles per sample, 11 Hz: the lower end of frequencies drawn evenly over octaves
LEVEL = 0.1  # RMS of every frame, of full scale 1


def excite(size: int, random: torch.Generator) -> Tensor:
    """Frames (size, 2048), float32: half of them one to three tones, half a band of white noise.

    Frequencies are drawn half uniformly and half log-uniformly, phases uniformly; a frame's tones have levels of 0 to -30 dB, its
    band the shape of a normal distribution with a deviation of 3 to 1,000 bins.
    """
    n = size // 2
    frames = torch.cat([_tones(n, random), _bands(size - n, random)])
    return LEVEL * frames / frames.square().mean(dim=1, keepdim=True).sqrt().clamp_min(1e-9)


def _frequencies(n: int, random: torch.Generator) -> Tensor:
    """Cycles per sample, shape (n, 1)."""
    kind, share = torch.rand(2, n, 1, generator=random)
    return torch.where(kind < 0.5, 0.5 * share, LOWEST * (0.5 / LOWEST) ** share)


def _tones(n: int, random: torch.Generator) -> Tensor:
    how_many = torch.randint(1, TONES + 1, (n, 1), generator=random)
    frames = torch.zeros(n, N_FFT)
    for i in range(TONES):
        frequency, phase = _frequencies(n, random), torch.rand(n, 1, generator=random)
        amplitude = 10 ** (-1.5 * torch.rand(n, 1, generator=random)) * (i < how_many)
        frames += amplitude * torch.cos(2 * torch.pi * (frequency * torch.arange(N_FFT) + phase))
    return frames


def _bands(n: int, random: torch.Generator) -> Tensor:
    spectrum = torch.fft.rfft(torch.randn(n, N_FFT, generator=random))  # (n, 1025)
    centre = N_FFT * _frequencies(n, random)
    width = 10 ** (0.5 + 2.5 * torch.rand(n, 1, generator=random))
    return torch.fft.irfft(spectrum * torch.exp(-0.5 * ((torch.arange(N_FFT // 2 + 1) - centre) / width) ** 2), n=N_FFT)
