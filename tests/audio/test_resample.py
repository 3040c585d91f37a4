"""Decoding and resampling against closed forms and soxr itself."""

import numpy as np
import pytest
import soundfile
import soxr

from finser.audio.frames import to_int16
from finser.audio.resample import decode, resample_clip
from finser.errors import FinserError


def tone(sr: int, frequency: float, seconds: float = 1.0, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(sr * seconds)) / sr)


def test_stereo_is_the_mean_of_its_channels(tmp_path):
    left, right = tone(22050, 440), tone(22050, 1000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 22050, subtype="DOUBLE")
    y, sr = decode(tmp_path / "a.wav")
    np.testing.assert_allclose(y, (left + right) / 2, atol=1e-7)
    assert sr == 22050


@pytest.mark.parametrize("sr", [16000, 22050, 24414, 44100, 48000, 96000])
def test_a_tone_stays_the_same_tone(tmp_path, sr):
    soundfile.write(tmp_path / "a.wav", tone(sr, 1000), sr, subtype="PCM_16")
    pcm, gain = resample_clip(tmp_path / "a.wav", 22050, "HQ")
    assert gain == 1.0
    assert abs(len(pcm) - 22050) <= 1
    inner = slice(2000, 20000)  # the ends of a cut tone ring
    np.testing.assert_allclose(pcm[inner] / 32768, tone(22050, 1000)[: len(pcm)][inner], atol=2e-4)


def test_same_rate_passes_int16_untouched(tmp_path):
    pcm = np.random.default_rng(0).integers(-32768, 32768, 5000).astype(np.int16)
    pcm[:2] = -32768, 32767
    soundfile.write(tmp_path / "a.wav", pcm, 22050, subtype="PCM_16")
    again, gain = resample_clip(tmp_path / "a.wav", 22050, "HQ")
    np.testing.assert_array_equal(pcm, again)
    assert gain == 1.0


def test_overshoot_is_scaled_not_clipped(tmp_path):
    square = np.sign(tone(48000, 300, amplitude=1.0)) * 32767 / 32768
    soundfile.write(tmp_path / "a.wav", square, 48000, subtype="PCM_16")
    pcm, gain = resample_clip(tmp_path / "a.wav", 22050, "HQ")
    free = soxr.resample(soundfile.read(tmp_path / "a.wav", dtype="float32")[0], 48000, 22050, quality="HQ")
    assert np.abs(free).max() > 1, "the test needs a signal that overshoots"
    assert gain == pytest.approx(min(32767 / 32768 / free.max(), 1 / -free.min()))
    np.testing.assert_allclose(pcm / 32768, free * gain, atol=0.51 / 32768)


def test_to_int16_of_full_scale():
    pcm, gain = to_int16(np.array([1.0, -1.0, 0.25]))
    assert list(pcm) == [32767, -32767, round(0.25 * 32767)]
    assert gain == 32767 / 32768
    pcm, gain = to_int16(np.array([0.5, -1.0]))
    assert (list(pcm), gain) == ([16384, -32768], 1.0)
    pcm, gain = to_int16(np.array([0.5, -2.0]))
    assert (list(pcm), gain) == ([8192, -32768], 0.5)


def test_unreadable_and_empty(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"not audio at all")
    with pytest.raises(FinserError, match="not readable as audio"):
        decode(tmp_path / "a.wav")
    soundfile.write(tmp_path / "b.wav", np.zeros(0), 22050)
    with pytest.raises(FinserError, match="holds no sample"):
        decode(tmp_path / "b.wav")
