"""What happens to training frames on their way in: noise, a narrower band, another level.

A FIN that only ever heard clean recordings of one rate need not know what to do with others. Nothing here needs a label: the
targets are computed from the frames that come out (:mod:`finser.fins.targets`).
"""

import torch
from torch import Tensor

from finser.audio.frames import N_FFT, SR
from finser.config.sections.train_fin import Disturbance

STEPS = 32768  # of int16 in full scale 1


def disturb(frames: Tensor, how: Disturbance, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Frames (batch, 2048) of full scale 1, each disturbed as a draw of `random` (on the CPU) decides, and their gains (batch, 1).

    White noise of an SNR of ``U(*noise_snr_db)`` dB is added to a share `noise` of them; of shares `origin_16k` and `origin_8k`
    nothing above 8 and 4 kHz is left, as in recordings made at these rates. Then all are rounded to int16's steps, as recordings
    are, and scaled by ``U(-gain_db, gain_db)`` dB, unrounded and unlimited.
    """
    n, device = len(frames), frames.device
    chance = torch.rand(3, n, generator=random)
    noisy = chance[0] < how.noise
    frames = frames.clone()
    frames[noisy.to(device)] += _noise(frames[noisy.to(device)], how.noise_snr_db, random)
    wide, narrow = chance[1] < how.origin_16k, chance[1] >= 1 - how.origin_8k
    for hertz, chosen in ((8_000, wide.to(device)), (4_000, narrow.to(device))):
        frames[chosen] = low_pass(frames[chosen], hertz)
    gain = 10 ** (how.gain_db * (2 * chance[2:].T.to(device) - 1) / 20)  # (batch, 1)
    return (frames * STEPS).round() / STEPS * gain, gain


def _noise(frames: Tensor, snr_db: tuple[float, float], random: torch.Generator) -> Tensor:
    low, high = snr_db
    snr = low + (high - low) * torch.rand(len(frames), 1, generator=random)
    white = torch.randn(frames.shape, generator=random).to(frames.device)
    return white * frames.square().mean(dim=1, keepdim=True).sqrt() * (10 ** (-snr / 20)).to(frames.device)


def low_pass(frames: Tensor, hertz: float) -> Tensor:
    """Frames (batch, 2048) without what lies above a frequency."""
    if not len(frames):  # MKL transforms something or fails
        return frames
    spectrum = torch.fft.rfft(frames)  # (batch, 1025)
    spectrum[:, int(hertz * N_FFT / SR) + 1 :] = 0
    return torch.fft.irfft(spectrum, n=N_FFT)
