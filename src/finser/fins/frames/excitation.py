"""Synthetic training frames with sparse spectra: tones and bands of noise.

Speech has energy in most of the spectrum at once. From speech alone, a network with random initial weights cannot learn which of its
outputs should represent which frequency; with tones it can. docs/fins.md has the measurements.
"""

import torch
from torch import Tensor

from finser.audio.frames import N_FFT

TONES = 3  # per frame, at most
LOWEST = 5e-4  # cycles per sample, 11 Hz: lower limit of the log-uniform frequencies
LEVEL = 0.1  # RMS of every frame, of full scale 1


def excite(size: int, random: torch.Generator) -> Tensor:
    """Return frames (size, 2048), float32: one half has one to three tones, the other a band of white noise.

    Half of the frequencies are uniform, half are log-uniform; phases are uniform. Tones of a frame have levels of 0 to -30 dB. A band has
    the shape of a normal distribution with a standard deviation of 3 to 1,000 bins.
    """
    n = size // 2
    frames = torch.cat([_tones(n, random), _bands(size - n, random)])
    return LEVEL * frames / frames.square().mean(dim=1, keepdim=True).sqrt().clamp_min(1e-9)


def _frequencies(n: int, random: torch.Generator) -> Tensor:
    """Draw frequencies in cycles per sample, shape (n, 1)."""
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
