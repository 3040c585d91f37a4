"""The vocoder against librosa's."""

import librosa
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from finser.audio.augment.vocoder import stretch
from finser.seeds import generator


def agree(expected: np.ndarray, found: np.ndarray) -> bool:
    """What differs is at least 40 dB below."""
    return np.sum((expected - found) ** 2) <= 1e-4 * np.sum(expected**2)


def like_a_recording(seed: int, size: int) -> np.ndarray:
    """Gliding harmonics that come and go, over breath, as int16 has them."""
    draws = generator("recording", seed)
    t = np.arange(size) / 22050
    phase = 2 * np.pi * np.cumsum(draws.uniform(80, 300) * (1 + 0.2 * np.sin(2 * np.pi * draws.uniform(0.5, 3) * t))) / 22050
    y = sum(np.sin(k * phase + draws.uniform(0, 6)) / k for k in range(1, 25)) * np.abs(np.sin(2 * np.pi * 2 * t))
    return (np.rint((0.1 * y + 0.003 * draws.standard_normal(size)) * 32768) / 32768).astype(np.float32)


@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large")  # librosa, of clips shorter than a frame
@given(st.integers(0, 2**31), st.integers(1, 60_000), st.floats(0.5, 2))
@settings(max_examples=15, deadline=None)
def test_it_is_librosas(seed, size, rate):
    assume(round(size / rate) >= 1)
    y = like_a_recording(seed, size)
    expected, found = librosa.effects.time_stretch(y.astype(float), rate=rate), stretch(y, rate)
    assert found.shape == expected.shape and found.dtype == np.float32
    assert agree(expected, found)


@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large")
def test_one_sample_remains_where_librosa_leaves_none():
    """On purpose unlike librosa: a variant of a clip is never empty (`to_flac` takes no empty one)."""
    y = like_a_recording(0, 1)
    assert librosa.effects.time_stretch(y.astype(float), rate=2.0).shape == (0,)
    assert stretch(y, 2.0).shape == (1,)


def test_silence_within_a_clip_is_librosas_too():
    y = like_a_recording(1, 40_000)
    y[:9000] = y[20_000:26_000] = y[-5000:] = 0
    assert agree(librosa.effects.time_stretch(y.astype(float), rate=0.77), stretch(y, 0.77))


def test_rate_one_changes_nothing():
    y = like_a_recording(2, 30_000)
    np.testing.assert_allclose(stretch(y, 1.0), y, atol=1e-5)


@pytest.mark.parametrize("rate", [0.5, 0.8, 1.7])
def test_a_tone_keeps_its_frequency_and_loses_little_level(rate):
    t = np.arange(44100) / 22050
    found = stretch((0.5 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32), rate)
    middle = found[4096:-4096] * np.hanning(len(found) - 8192)
    peak = np.argmax(np.abs(np.fft.rfft(middle, 2**18))) * 22050 / 2**18
    assert len(found) == round(44100 / rate)
    assert peak == pytest.approx(1000, abs=0.5)
    assert -1.5 < 10 * np.log10(np.mean(found[4096:-4096] ** 2) / 0.125) < 0.1
