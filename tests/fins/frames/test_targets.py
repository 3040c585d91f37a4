"""Targets of disturbed frames against librosa, and the disturbances against their definitions."""

import librosa
import numpy as np
import pytest
import torch

from finser.audio.frames import DIMENSIONS, SR
from finser.config.sections.train_fin import Disturbance
from finser.fins.conditions import CONDITIONS, rounded
from finser.fins.frames.disturbance import disturb, low_pass
from finser.fins.frames.targets import Targets
from finser.seeds import generator

CLEAN = {"noise": 0.0, "origin_16k": 0.0, "origin_8k": 0.0, "gain_db": 0.0}


def speech_like(n: int = 60) -> np.ndarray:
    """Frames of int16 steps, the first digital silence."""
    frames = 0.1 * generator("frames").standard_normal((n, 2048)).cumsum(axis=1) / 20
    frames[0] = 0
    return (np.round(frames * 32_768) / 32_768).astype(np.float32)


def librosas(frames: np.ndarray) -> dict[str, np.ndarray]:
    found = {"rms": [], "zcr": [], "chroma": [], "mel": [], "mfcc": []}
    for y in frames:
        power = np.abs(librosa.stft(y, n_fft=2048, center=False)) ** 2
        mel = librosa.feature.melspectrogram(S=power, sr=SR)
        found["rms"].append(librosa.feature.rms(y=y, frame_length=2048, center=False)[:, 0])
        found["zcr"].append(librosa.feature.zero_crossing_rate(y, frame_length=2048, center=False)[:, 0])
        found["chroma"].append(librosa.feature.chroma_stft(S=power, sr=SR, tuning=0.0)[:, 0])
        found["mel"].append(mel[:, 0])
        found["mfcc"].append(librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), sr=SR, n_mfcc=20)[:, 0])
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("gain", [1.0, 0.1, 10.0])
def test_targets_are_librosas(gain):
    frames = speech_like() * np.float32(gain)
    for name, expected in librosas(frames).items():
        tolerance = {"rms": 1e-6, "zcr": 1e-7, "chroma": 2e-6, "mel": 1e-6 * expected.max(), "mfcc": 1e-3}[name]
        np.testing.assert_allclose(Targets(name)(torch.from_numpy(frames)).numpy(), expected, rtol=1e-5, atol=tolerance)


def test_gain_alone_scales():
    frames = torch.from_numpy(speech_like())
    out, gain = disturb(frames, Disturbance(**{**CLEAN, "gain_db": 20.0}), torch.Generator().manual_seed(0))
    levels = out[1:].square().mean(1).sqrt() / frames[1:].square().mean(1).sqrt()
    assert torch.allclose(levels, gain[1:, 0], rtol=1e-5)
    assert torch.allclose(out, frames * gain, atol=1e-6)
    assert gain.min() < 0.3 and gain.max() > 3 and (20 * gain.log10()).abs().max() <= 20.001
    assert not out[0].any()


def test_noise_has_its_snr_and_its_share():
    frames = torch.from_numpy(speech_like(400))
    out, _ = disturb(frames, Disturbance(**{**CLEAN, "noise": 0.5, "noise_snr_db": (10.0, 10.0)}), torch.Generator().manual_seed(0))
    noise = (out - frames)[1:]
    snr = 10 * (frames[1:].square().mean(1) / noise.square().mean(1).clamp_min(1e-12)).log10()
    noisy = noise.abs().amax(1) > 1e-4
    assert 0.4 < noisy.float().mean() < 0.6
    assert (snr[noisy] - 10).abs().max() < 0.5


@pytest.mark.parametrize(("key", "hertz"), [("origin_16k", 8_000), ("origin_8k", 4_000)])
def test_origins_leave_nothing_above(key, hertz):
    frames = torch.from_numpy(speech_like())[1:]
    out, _ = disturb(frames, Disturbance(**{**CLEAN, key: 1.0}), torch.Generator().manual_seed(0))
    spectrum = torch.fft.rfft(out).abs().square()
    cut = int(hertz * 2048 / SR) + 1
    assert spectrum[:, cut:].mean() < 1e-4 * spectrum[:, :cut].mean()
    assert torch.equal(out * 32_768, (out * 32_768).round())
    assert torch.allclose(out, low_pass(frames, torch.full((len(frames), 1), float(hertz))), atol=0.51 / 32_768)


def test_no_frame_is_no_error():
    assert low_pass(torch.empty(0, 2048), torch.empty(0, 1)).shape == (0, 2048)
    assert all(Targets(feature)(torch.empty(0, 2048)).shape == (0, n) for feature, n in DIMENSIONS.items())


def test_draws_repeat():
    frames = torch.from_numpy(speech_like())
    first, again, other = (disturb(frames, Disturbance(), torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_conditions_are_what_their_names_say():
    y = rounded(0.05 * generator("voice").standard_normal(30_000))
    draws = generator("draws")
    changed = {name: change(y, draws) for name, change in CONDITIONS.items()}
    level = {name: 20 * np.log10(np.sqrt((z**2).mean() / (y**2).mean())) for name, z in changed.items()}
    assert level["gain_-20_dB"] == pytest.approx(-20, abs=1e-3) and level["gain_+20_dB"] == pytest.approx(20, abs=1e-3)
    for snr in (20, 10, 0):
        noise = changed[f"noise_{snr}_dB"] - y
        assert 10 * np.log10((y**2).mean() / (noise**2).mean()) == pytest.approx(snr, abs=0.2)
    for kilohertz in (16, 8):
        z = changed[f"origin_{kilohertz}_kHz"]
        assert len(z) == len(y)
        power = np.abs(np.fft.rfft(z)) ** 2
        assert power[int(1.1 * 500 * kilohertz * len(y) / SR) :].mean() < 1e-3 * power.mean()
