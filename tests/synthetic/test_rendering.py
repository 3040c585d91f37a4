import dataclasses

import numpy as np
import pytest

from finser.emotions import EMOTIONS
from finser.synthetic import rendering
from finser.synthetic.acting import MANNERS, SPREAD_OF_SPEAKERS, SPREAD_OF_TAKES, draw_manner, final_mark
from finser.synthetic.voices import draw_voice, variant

RATE = 22050
TIME = np.arange(RATE) / RATE


def _random() -> np.random.Generator:
    return np.random.default_rng(0)


def _db(samples: np.ndarray) -> float:
    return 20 * np.log10(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize(("frequency", "octaves"), [(1000, 0), (4000, 2), (500, -1), (10500, 3), (70, -3)])
def test_tilt_is_in_db_per_octave_about_1_khz(frequency, octaves):
    sine = np.sin(2 * np.pi * frequency * TIME)
    middle = slice(RATE // 4, -RATE // 4)
    assert _db(rendering.tilted(sine, 1.5)[middle]) - _db(sine[middle]) == pytest.approx(1.5 * octaves, abs=0.05)


def test_glide_moves_f0_by_so_many_semitones(monkeypatch):
    monkeypatch.setattr(rendering, "_JITTER", 0)
    sine = np.sin(2 * np.pi * 200 * TIME)
    gliding = rendering.warped(sine, dataclasses.replace(MANNERS["neutral"], glide=4.0), _random())
    turns = np.flatnonzero(np.diff(np.signbit(gliding)) & ~np.signbit(gliding)[1:]) / RATE  # upward zero crossings
    periods = np.diff(turns)
    semitones = 12 * np.log2(periods[0] / periods[-1])
    assert semitones == pytest.approx(4.0, abs=0.15)


def test_tremor_and_wandering_stay_small():
    sine = np.sin(2 * np.pi * 200 * TIME)
    shaken = rendering.warped(sine, dataclasses.replace(MANNERS["fear"], glide=0.0), _random())
    spectrum = np.abs(np.fft.rfft(shaken * np.hanning(len(shaken))))
    assert len(shaken) == pytest.approx(RATE, rel=0.03)
    assert np.argmax(spectrum) * RATE / len(shaken) == pytest.approx(200, rel=0.06)
    assert np.sum(spectrum > spectrum.max() / 10) > 6  # a plain sine of this length has 3 such lines


def test_breath_has_its_level_and_follows_the_voice():
    voice = np.sin(2 * np.pi * 200 * TIME) * (TIME < 0.5)
    breath = rendering.with_breath(voice, -30, _random()) - voice
    assert _db(breath) - _db(voice) == pytest.approx(-30, abs=0.01)
    assert _db(breath[: RATE // 3]) > _db(breath[-RATE // 3 :] + 1e-9) + 60


def test_room_keeps_the_direct_sound_and_dies_out_in_its_time():
    impulse = np.zeros(1000)
    impulse[0] = 1
    response = rendering.in_room(impulse, 0.2, _random())
    assert response[0] == pytest.approx(1, abs=1e-9)
    assert 10 * np.log10(np.sum(response[1:] ** 2)) == pytest.approx(-14, abs=0.01)
    early, late = response[1:441], response[3970:4410]  # 20 ms each, 180 ms apart
    assert _db(early) - _db(late) == pytest.approx(54, abs=1.5)


def test_silence_around_and_floor_under():
    speech = np.ones(1000)
    recording = rendering.with_silence(speech, -60, _random())
    assert 0.3 * RATE - 2 <= len(recording) - len(speech) <= 0.9 * RATE
    assert _db(recording[: int(0.14 * RATE)]) == pytest.approx(-60, abs=0.5)


def test_level_and_clipping():
    assert _db(rendering.at_level(_random().standard_normal(1000), -23)) == pytest.approx(-23)
    assert rendering.as_pcm(np.array([0, 0.5, 1.5, -1.5])).tolist() == [0, 16384, 32767, -32768]


def test_draws_centre_on_the_table_with_the_stated_spread():
    drawn = [draw_manner("fear", 1.0, (0, number, "a"), (0, number, "b")) for number in range(500)]
    for name in ("pitch", "rate", "gain", "tilt", "tremor"):
        values, centre = np.array([getattr(manner, name) for manner in drawn]), getattr(MANNERS["fear"], name)
        if name in ("pitch", "rate", "tremor"):
            values, centre = np.log(values), np.log(centre)
        spread = np.hypot(getattr(SPREAD_OF_SPEAKERS, name), getattr(SPREAD_OF_TAKES, name))
        assert values.mean() == pytest.approx(centre, abs=4 * spread / np.sqrt(500))
        assert values.std() == pytest.approx(spread, rel=0.15)


def test_strength_scales_the_distance_from_neutral():
    names = (0, "speaker"), (0, "take")
    none, half, full = (draw_manner("angry", strength, *names) for strength in (0, 0.5, 1))
    assert none.gain == draw_manner("neutral", 1, *names).gain
    assert half.gain - none.gain == pytest.approx(3) and full.gain - none.gain == pytest.approx(6)
    assert full.pitch / none.pitch == pytest.approx(1.22)


def test_every_emotion_has_a_manner_and_a_mark():
    assert set(MANNERS) == set(EMOTIONS)
    assert [final_mark("surprise", language) for language in ("en", "zh")] == ["?", "？"]
    assert final_mark("sad", "en") == "." and final_mark("angry", "zh") == "！"


def test_voices_differ_by_speaker_and_sex():
    men, women = ([draw_voice(0, "esd", f"{number:04}", sex) for number in range(40)] for sex in ("male", "female"))
    assert max(voice.f0 for voice in men) < min(voice.f0 for voice in women)
    assert np.mean([voice.formants[1][0] for voice in men]) < 1 < np.mean([voice.formants[1][0] for voice in women])
    assert len({voice.f0 for voice in men}) == 40 and draw_voice(0, "esd", "0003", "male") == men[3] != draw_voice(1, "esd", "0003", "male")


def test_variant_is_in_espeaks_format():
    voice = dataclasses.replace(draw_voice(0, "savee", "DC", "male"), f0=100.0, span=0.3, roughness=2)
    lines = variant(voice, MANNERS["happy"]).splitlines()
    assert lines[:4] == ["language variant", "name u", "pitch 128 189", "roughness 2"]
    assert [line.split()[:2] for line in lines[4:]] == [["formant", str(number)] for number in range(9)]
    assert all(len(line.split()) == 5 for line in lines[4:])
