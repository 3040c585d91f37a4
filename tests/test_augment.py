"""Augmentation: the draw is recorded and makes the row again; speed and pitch are what they say."""

import librosa
import numpy as np
import pytest

from finser import augment
from finser.params import Augment, Noise
from finser.shards import AudioRow


def clip(seconds: float = 2.0, frequency: float = 220.0) -> AudioRow:
    t = np.arange(round(22050 * seconds)) / 22050
    y = sum(np.sin(2 * np.pi * k * frequency * t) / k for k in range(1, 8))
    return AudioRow(
        "savee/DC/a01", "savee", "savee/DC", "angry", "original", 1, {"gain": 1.0}, (y / np.abs(y).max() * 12000).astype(np.int16)
    )


def test_three_rows_in_order():
    rows = augment.variants(clip(), Augment(), seed=0)
    assert [row.variant for row in rows] == ["original", "noise", "speed_pitch"]
    assert {(row.clip_id, row.speaker, row.emotion) for row in rows} == {("savee/DC/a01", "savee/DC", "angry")}


def test_a_row_can_be_made_again_from_its_draw_alone():
    original, *others = augment.variants(clip(), Augment(), seed=0)
    for row in others:
        np.testing.assert_array_equal(augment.apply(original.audio, row.variant, row.draw), row.audio)


def test_draws_depend_on_seed_and_clip_only():
    first = [row.audio.tobytes() for row in augment.variants(clip(), Augment(), seed=0)]
    assert first == [row.audio.tobytes() for row in augment.variants(clip(), Augment(), seed=0)]
    other = augment.variants(clip(), Augment(), seed=1)
    assert other[1].audio.tobytes() != first[1]


def test_noise_has_the_published_level():
    original = clip()
    levels = []
    for seed in range(200):
        levels.append(augment.draw_noise(Augment(noise=Noise(amplitude=0.035)), seed)["level"])
    assert 0 <= min(levels) < 0.004
    assert 0.031 < max(levels) <= 0.035
    y = original.audio / 32768
    added = augment.add_noise(y, level=0.03, seed=5) - y
    assert added.std() == pytest.approx(0.03 * np.abs(y).max(), rel=0.02)
    assert abs(np.corrcoef(added[:-1], added[1:])[0, 1]) < 0.02  # white


@pytest.mark.parametrize(("rate", "semitones"), [(0.8, 0.7), (1.25, -2.0), (1.0, 3.0)])
def test_speed_and_pitch(rate, semitones):
    y = clip().audio / 32768
    changed = augment.change_speed_and_pitch(y, rate=rate, semitones=semitones)
    assert len(changed) == round(len(y) / rate)
    f0 = np.median(librosa.yin(changed[4000:-4000].astype(np.float32), fmin=100, fmax=500, sr=22050))
    assert f0 == pytest.approx(220 * 2 ** (semitones / 12), rel=0.01)


def test_one_pass_keeps_more_level_than_librosas_two():
    y = clip().audio / 32768
    ours = augment.change_speed_and_pitch(y, rate=0.8, semitones=0.7)
    two = librosa.effects.pitch_shift(librosa.effects.time_stretch(y, rate=0.8), sr=22050, n_steps=0.7)
    assert np.sqrt(np.mean(ours**2)) >= 0.95 * np.sqrt(np.mean(two**2))


def test_very_short_clips_work():
    short = AudioRow("tess/x", "tess", "tess/OAF", "sad", "original", 1, {}, np.array([100, -100, 50], np.int16))
    assert [len(row.audio) for row in augment.variants(short, Augment(), seed=0)] == [3, 3, 4]
