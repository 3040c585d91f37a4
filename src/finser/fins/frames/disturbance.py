"""Augmentation of training frames: white noise, band limits, other levels.

A FIN that is trained on clean recordings of one sampling rate may fail on others. Augmentation needs no labels, because the targets are
computed from the augmented frames (:mod:`finser.fins.frames.targets`).
"""

import torch
from torch import Tensor

from finser.audio.frames import N_FFT, SR
from finser.config.sections.train_fin import Disturbance

STEPS = 32768  # of int16 per full scale 1


def disturb(frames: Tensor, how: Disturbance, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Augment frames (batch, 2048) of full scale 1 at random; return them with their gains (batch, 1).

    A fraction `noise` of the frames gets white noise of an SNR of ``U(*noise_snr_db)`` dB. Fractions `origin_16k` and `origin_8k` lose the
    frequencies above 8 and 4 kHz, as in recordings at these sampling rates. Then all frames are rounded to int16's steps, as recordings
    are, and scaled by ``U(-gain_db, gain_db)`` dB, without rounding or clipping. `random` is a generator on the CPU.
    """
    n, device = len(frames), frames.device
    chance = torch.rand(3, n, generator=random)
    noisy = chance[0] < how.noise
    frames = frames * STEPS
    noisy = noisy.nonzero()[:, 0].to(device)
    frames[noisy] += _noise(frames[noisy], how.noise_snr_db, random)
    wide, narrow = chance[1] < how.origin_16k, chance[1] >= 1 - how.origin_8k
    limited = (wide | narrow).nonzero()[:, 0]
    hertz = torch.where(wide, 8_000.0, 4_000.0)[limited, None].to(device)
    frames[limited.to(device)] = low_pass(frames[limited.to(device)], hertz)
    gain = 10 ** (how.gain_db * (2 * chance[2:].T.to(device) - 1) / 20)  # (batch, 1)
    return frames.round_().mul_(gain / STEPS), gain


def _noise(frames: Tensor, snr_db: tuple[float, float], random: torch.Generator) -> Tensor:
    low, high = snr_db
    snr = low + (high - low) * torch.rand(len(frames), 1, generator=random)
    white = torch.randn(frames.shape, generator=random).to(frames.device)
    return white * frames.square().mean(dim=1, keepdim=True).sqrt() * (10 ** (-snr / 20)).to(frames.device)


def low_pass(frames: Tensor, hertz: Tensor) -> Tensor:
    """Remove the frequencies above `hertz` (batch, 1) from frames (batch, 2048)."""
    if not len(frames):  # MKL fails on an empty batch
        return frames
    spectrum = torch.fft.rfft(frames)  # (batch, 1025)
    above = torch.arange(N_FFT // 2 + 1, device=frames.device) * SR > hertz * N_FFT
    return torch.fft.irfft(spectrum.masked_fill_(above, 0), n=N_FFT)
