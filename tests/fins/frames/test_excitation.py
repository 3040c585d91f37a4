"""Synthetic frames: their level, and that they light some frequencies and not others."""

import numpy as np
import torch

from finser.fins.frames.excitation import LEVEL, excite


def spectra(size: int) -> np.ndarray:
    frames = excite(size, torch.Generator().manual_seed(0)).numpy()
    assert frames.shape == (size, 2048)
    return np.abs(np.fft.rfft(frames * np.hanning(2048))) ** 2


def test_every_frame_has_the_same_level():
    frames = excite(64, torch.Generator().manual_seed(1))
    assert torch.allclose(frames.square().mean(1).sqrt(), torch.tensor(LEVEL), atol=1e-6)


def test_tones_light_few_bins_and_every_frequency_comes_up():
    power = spectra(2000)[:1000]
    strongest = np.sort(power, axis=1)[:, ::-1].cumsum(axis=1) / power.sum(axis=1, keepdims=True)
    assert np.median(strongest[:, 15]) > 0.99  # three tones of five bins each
    peaks = power.argmax(axis=1)
    assert (np.histogram(peaks, bins=[0, 30, 100, 300, 600, 1025])[0] > 50).all()


def test_bands_are_narrow_and_wide():
    power = spectra(2000)[1000:]
    share = power / power.sum(axis=1, keepdims=True)
    spread = 1 / (share**2).sum(axis=1)  # how many bins hold the energy
    assert np.quantile(spread, 0.1) < 20 and np.quantile(spread, 0.9) > 200


def test_the_same_generator_gives_the_same_frames():
    assert torch.equal(*(excite(9, torch.Generator().manual_seed(3)) for _ in range(2)))
