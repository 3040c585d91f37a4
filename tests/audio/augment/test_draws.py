"""Draws stay within their limits, fill them, and follow from the seed alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finser.audio.augment import draws
from finser.config.sections.augment import BandLimit, Gain, Noise, NoiseSnr, Reverberation, SpeedPitch

SEEDS = st.integers(0, 2**63 - 1)
LIMITS = st.tuples(st.floats(-60, 60), st.floats(-60, 60)).map(sorted).map(tuple)


@given(SEEDS, LIMITS)
def test_numbers_stay_within_their_limits(seed, limits):
    assert limits[0] <= draws.noise_snr(NoiseSnr(snr_db=limits), seed)["snr_db"] <= limits[1]
    assert limits[0] <= draws.gain(Gain(db=limits), seed)["db"] <= limits[1]
    room = draws.reverberation(Reverberation(drr_db=limits, rt60=(0.3, 0.5)), seed)
    assert limits[0] <= room["drr_db"] <= limits[1] and 0.3 <= room["rt60"] <= 0.5


@given(SEEDS, st.floats(-60, 60))
def test_equal_limits_state_one_value(seed, value):
    assert draws.noise_snr(NoiseSnr(snr_db=(value, value)), seed)["snr_db"] == value


@given(SEEDS, st.floats(0.001, 1))
def test_level_of_noise_is_as_published(seed, amplitude):
    drawn = draws.noise(Noise(amplitude=amplitude), seed)
    assert 0 <= drawn["level"] <= amplitude and drawn["seed"] == seed


def test_draws_are_uniform():
    """Kolmogorov-Smirnov's distance of 2,000 draws from the uniform distribution; its 99.9 % point is 1.95 / sqrt(2000) = 0.044."""
    for drawn in (
        [draws.noise(Noise(amplitude=0.035), seed)["level"] / 0.035 for seed in range(2000)],
        [draws.gain(Gain(db=(-20, 6)), seed)["db"] / 26 + 20 / 26 for seed in range(2000)],
    ):
        assert np.max(np.abs(np.sort(drawn) - (np.arange(2000) + 0.5) / 2000)) < 0.044


@pytest.mark.parametrize(
    ("draw", "section"),
    [(draws.noise, Noise()), (draws.noise_snr, NoiseSnr()), (draws.reverberation, Reverberation()), (draws.gain, Gain())],
)
def test_a_seed_says_everything(draw, section):
    assert draw(section, 5) == draw(section, 5) != draw(section, 6)


def test_numbers_of_one_draw_are_independent():
    drawn = [draws.reverberation(Reverberation(), seed) for seed in range(500)]
    assert abs(np.corrcoef([one["rt60"] for one in drawn], [one["drr_db"] for one in drawn])[0, 1]) < 0.15


def test_nothing_is_random_where_nothing_is_published_as_random():
    assert draws.speed_pitch(SpeedPitch(), 1) == draws.speed_pitch(SpeedPitch(), 2) == {
        "rate": 0.8, "semitones": 0.7, "method": "phase_vocoder"
    }  # fmt: skip
    assert draws.band_limit(BandLimit(sr=16000), 3) == {"sr": 16000}
