"""What is drawn, of sounds whose picture is known."""

import numpy as np
import pytest

from finser.serve.decoding import Heard
from finser.serve.pictures import BANDS, envelope, spectrogram


def test_the_envelope_has_the_extremes_of_each_part():
    samples = np.random.default_rng(0).uniform(-1, 1, 80_000).astype(np.float32)
    low, high = envelope(samples)
    parts = samples.reshape(800, 100)
    np.testing.assert_allclose(low, parts.min(1), atol=1e-3)
    np.testing.assert_allclose(high, parts.max(1), atol=1e-3)


@pytest.mark.parametrize("n", [1, 7, 799, 801, 12_345])
def test_short_sounds_have_pictures(n):
    samples = np.linspace(-0.5, 0.5, n).astype(np.float32)
    low, high = envelope(samples)
    assert len(low) == len(high) == min(n, 800) and min(low) == pytest.approx(-0.5, abs=1e-3)
    db, _ = spectrogram(Heard(samples, 8000))
    assert len(db) >= 1 and all(len(column) == BANDS for column in db)


@pytest.mark.parametrize("hertz", [300, 1000, 4000])
def test_a_tone_is_in_its_band_while_it_lasts(hertz):
    import librosa

    sr = 22_050
    time = np.arange(10 * sr) / sr
    wave = (0.3 * np.sin(2 * np.pi * hertz * time) * (time < 5)).astype(np.float32)
    db, top = spectrogram(Heard(wave, sr))
    centres = librosa.mel_frequencies(BANDS + 2, fmin=0, fmax=top)[1:-1]
    table = np.array(db)
    assert table.shape == (400, BANDS) and table.max() == 0 and table.min() == -80
    assert (np.abs(table[:190].argmax(1) - np.abs(centres - hertz).argmin()) <= 1).all() and (table[210:] == -80).all()


def test_silence_is_drawn():
    db, _ = spectrogram(Heard(np.zeros(5000, np.float32), 16_000))
    assert np.isfinite(db).all()
