"""What each variant does to samples, against closed forms, scipy and librosa."""

import sys

import librosa
import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from finser.audio.augment import changes
from finser.errors import FinserError


def harmonics(seconds: float = 2.0, frequency: float = 220.0) -> np.ndarray:
    t = np.arange(round(22050 * seconds)) / 22050
    y = sum(np.sin(2 * np.pi * k * frequency * t) / k for k in range(1, 8))
    return (y / np.abs(y).max() * 0.37).astype(np.float32)


def level(y: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.square(y, dtype=float)))


def test_noise_has_the_published_level_and_is_white():
    y = harmonics()
    added = changes.add_noise(y, level=0.03, seed=5) - y
    assert added.std() == pytest.approx(0.03 * np.abs(y).max(), rel=0.02)
    assert abs(np.corrcoef(added[:-1], added[1:])[0, 1]) < 0.02
    assert scipy.stats.kstest(added / added.std(), "norm").pvalue > 1e-3


@given(st.floats(-20, 60), st.integers(0, 2**62))
@settings(max_examples=20, deadline=None)
def test_noise_at_snr_has_that_snr(snr_db, seed):
    y = harmonics(0.5).astype(np.float64)
    added = changes.add_noise_at_snr(y, snr_db=snr_db, seed=seed) - y
    assert level(y) - level(added) == pytest.approx(snr_db, abs=1e-3)


@pytest.mark.parametrize("method", ["phase_vocoder", "signalsmith"])
@pytest.mark.parametrize(("rate", "semitones"), [(0.8, 0.7), (1.25, -2.0), (1.0, 3.0)])
def test_speed_and_pitch_of_a_tone(rate, semitones, method):
    y = harmonics()
    changed = changes.change_speed_and_pitch(y, rate=rate, semitones=semitones, method=method)
    assert len(changed) == round(len(y) / rate) and changed.dtype == np.float32
    f0 = np.median(librosa.yin(changed[4000:-4000], fmin=100, fmax=500, sr=22050))
    assert f0 == pytest.approx(220 * 2 ** (semitones / 12), rel=0.005)
    np.testing.assert_array_equal(changed, changes.change_speed_and_pitch(y, rate=rate, semitones=semitones, method=method))


def test_published_speed_and_pitch_of_a_voice(row):
    """A voice that glides: length x 1.25 and +0.7 semitone, all along."""
    y = row("DC", 1, 2.0).audio / np.float32(32768)
    changed = changes.change_speed_and_pitch(y, rate=0.8, semitones=0.7)
    assert len(changed) == pytest.approx(1.25 * len(y), abs=1)
    before, after = (librosa.yin(z, fmin=80, fmax=400, sr=22050, hop_length=hop) for z, hop in ((y, 400), (changed, 500)))
    shift = 12 * np.log2(after[10:-10] / before[10 : len(after) - 10])
    assert np.median(shift) == pytest.approx(0.7, abs=0.05)
    assert np.mean(np.abs(shift - 0.7) < 0.3) > 0.9


def test_one_pass_keeps_more_level_than_librosas_two():
    y = harmonics()
    ours = changes.change_speed_and_pitch(y, rate=0.8, semitones=0.7)
    two = librosa.effects.pitch_shift(librosa.effects.time_stretch(y, rate=0.8), sr=22050, n_steps=0.7)
    assert level(ours) > level(y) - 1 and level(ours) > level(two) - 0.4


def test_a_missing_package_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "python_stretch", None)
    with pytest.raises(FinserError, match=r"signalsmith: the package python-stretch is not installed; pip install"):
        changes.change_speed_and_pitch(harmonics(), rate=0.8, semitones=0.7, method="signalsmith")


def test_reverberation_is_the_convolution_with_its_room():
    y = harmonics(0.4)
    drawn = {"rt60": 0.3, "drr_db": 3.0, "seed": 8}
    expected = scipy.signal.fftconvolve(y.astype(float), changes.room(**drawn).astype(float))[: len(y)]
    np.testing.assert_allclose(changes.reverberate(y, **drawn), expected, atol=1e-5)


@given(st.floats(0.1, 2), st.floats(-10, 20), st.integers(0, 2**62))
@settings(max_examples=20, deadline=None)
def test_rooms_have_the_drawn_decay_and_ratio(rt60, drr_db, seed):
    """RT60 from the backward integral (Schroeder 1965) between -5 and -25 dB; the ratio of energies as defined."""
    response = changes.room(rt60=rt60, drr_db=drr_db, seed=seed).astype(float)
    assert len(response) == 1 + round(22050 * rt60)
    assert response[0] == 1 and -10 * np.log10(np.sum(response[1:] ** 2)) == pytest.approx(drr_db, abs=1e-3)
    left = 10 * np.log10(np.cumsum(response[:0:-1] ** 2)[::-1] / np.sum(response[1:] ** 2))
    low, high = np.argmax(left < -5), np.argmax(left < -25)
    assert 3 * (high - low) / 22050 == pytest.approx(rt60, rel=0.15)


@given(st.floats(-60, 60))
def test_gain_is_a_factor(db):
    y = harmonics(0.05)
    np.testing.assert_allclose(changes.gain(y, db=db), y * 10 ** (db / 20), rtol=1e-6)


@pytest.mark.parametrize("sr", [8000, 16000])
def test_band_limit_keeps_below_and_removes_above(sr):
    noise = changes.white(44100, 1)
    limited = changes.band_limit(noise, sr=sr)
    assert limited.shape == noise.shape and limited.dtype == np.float32
    frequencies, before = scipy.signal.welch(noise, 22050, nperseg=1024)
    ratio = 10 * np.log10(scipy.signal.welch(limited, 22050, nperseg=1024)[1] / before)
    assert np.all(np.abs(ratio[(frequencies > 50) & (frequencies < 0.42 * sr)]) < 0.2)
    assert np.all(ratio[frequencies > 0.52 * sr] < -60)
    shift = np.argmax(np.correlate(limited[1000:3000], noise[900:3100])) - 100
    assert shift == 0


@given(st.floats(-40, 40))
@settings(deadline=None)
def test_mixing_meets_the_ratio(snr_db):
    y, noise = harmonics(0.2).astype(float), 3 * changes.white(4410, 2)
    added = changes.mix(y, noise, snr_db) - y
    assert level(y) - level(added) == pytest.approx(snr_db, abs=1e-4)
    np.testing.assert_allclose(added / noise, (added / noise)[0], rtol=1e-4)
