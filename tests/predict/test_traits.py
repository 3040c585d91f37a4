"""Traits of sounds whose level, bandwidth, contrast and voicing are known."""

import os
from pathlib import Path

import numpy as np
import pytest

from finser.audio.frames import SR
from finser.audio.resample import resample_clip
from finser.features.labels import features
from finser.predict.traits import NAMES, Range, Ranges, ranges, traits, voiced, warnings

CORPORA = os.environ.get("FINSER_CORPORA")


def traits_of(wave) -> dict:
    audio = np.round(np.asarray(wave) * 32767).astype(np.int16)
    return traits(features(audio), audio)


def tone(hertz, seconds=2.0, peak=0.5):
    return peak * np.sin(2 * np.pi * hertz * np.arange(int(seconds * SR)) / SR)


@pytest.mark.parametrize("peak", [0.5, 0.05, 0.005])
def test_the_level_of_a_sine_is_3_db_below_its_peak(peak):
    assert traits_of(tone(500, peak=peak))["level_db"] == pytest.approx(20 * np.log10(peak) - 3.01, abs=0.2)


@pytest.mark.parametrize("hertz", [1500, 3000, 6000])
def test_the_bandwidth_is_that_of_the_highest_tone(hertz):
    assert traits_of(tone(300, peak=0.3) + tone(hertz, peak=0.1))["bandwidth_hz"] == pytest.approx(hertz, rel=0.15)


def test_seconds_and_contrast():
    steady, gated = traits_of(tone(500)), traits_of(tone(500) * (np.arange(2 * SR) % SR < SR // 2))
    assert steady["seconds"] == pytest.approx(2, abs=0.05) and steady["contrast_db"] < 1 and gated["contrast_db"] > 60


@pytest.mark.parametrize("hertz", [80, 220, 480])
def test_a_harmonic_sound_of_a_voices_pitch_is_voiced_and_noise_is_not(hertz):
    rng = np.random.default_rng(hertz)
    noise, buzz = 3000 * rng.standard_normal(2 * SR), sum(tone(hertz * number) for number in range(1, 6))
    assert voiced(noise.astype(np.int16)) == 0
    assert voiced((4000 * buzz).astype(np.int16)) == 1 == voiced((4000 * buzz + noise / 30).astype(np.int16))
    quiet_noise = np.concatenate([4000 * buzz, noise / 100])
    assert voiced(quiet_noise.astype(np.int16)) > 0.9, "frames far below the loudest do not count"


@pytest.mark.parametrize("n", [0, 1, 100, 1023, 1024, 1025])
def test_voicing_of_the_shortest_sounds_is_defined(n):
    assert voiced(np.zeros(n, np.int16)) == 0 and 0 <= voiced(np.arange(n).astype(np.int16)) <= 1


@pytest.mark.skipif(CORPORA is None, reason="FINSER_CORPORA names no folder with real recordings")
def test_speech_has_more_voiced_frames_than_noise_and_clicks():
    rng = np.random.default_rng(0)
    paths = sorted(Path(CORPORA).rglob("*.wav"))[::100]
    speech = [voiced(resample_clip(path, SR, "HQ")[0]) for path in paths]
    clicks = 5 * rng.standard_normal(2 * SR)
    for place in rng.integers(0, 2 * SR - 400, 12):
        clicks[place : place + 400] += 8000 * rng.standard_normal(400) * np.exp(-np.arange(400) / 80)
    assert len(paths) > 10 and np.percentile(speech, 2) > 0.25 > voiced(clicks.astype(np.int16))


def test_silence():
    assert warnings(traits_of(np.zeros(SR)), limits()) == ["almost silent: the loudest frame is at -90 dB of full scale"]


def limits(**other) -> Ranges:
    usual = {"seconds": (1, 5), "level_db": (-40, -10), "bandwidth_hz": (4000, 10_000), "contrast_db": (20, 70), "voiced": (0.3, 1)}
    return Ranges(**{name: Range(low=float(low), high=float(high)) for name, (low, high) in {**usual, **other}.items()})


@pytest.mark.parametrize(
    ("trait", "value", "word"),
    [
        ("seconds", 0.5, "short"),
        ("seconds", 9.0, "long"),
        ("level_db", -50.0, "quiet"),
        ("level_db", -3.0, "loud"),
        ("bandwidth_hz", 3000.0, "narrow in bandwidth"),
        ("contrast_db", 5.0, "noisy"),
        ("voiced", 0.1, "few voiced frames, perhaps no speech: 10%"),
    ],
)
def test_each_trait_outside_its_range_is_a_line(trait, value, word):
    usual = {"seconds": 2.0, "level_db": -20.0, "bandwidth_hz": 8000.0, "contrast_db": 40.0, "voiced": 0.7, "peak_db": -10.0}
    assert warnings(usual, limits()) == []
    (line,) = warnings({**usual, trait: value}, limits())
    assert line.startswith(word) and "99 % of the training clips" in line


def test_ranges_are_percentiles():
    clips = [dict.fromkeys(NAMES, float(value)) for value in range(101)]
    assert ranges(clips) == Ranges(**dict.fromkeys(NAMES, Range(low=1.0, high=99.0)))
