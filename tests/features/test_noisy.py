"""Test clips in noise: the SNR, whose voices babble, and that nothing depends on order."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finser import layout
from finser.audio.shards import SR, read_audio
from finser.config.params import Params
from finser.errors import FinserError
from finser.evaluation import evaluate_classifier as evaluation
from finser.features.inputs import Examples, Row, Source
from finser.features.labels import features
from finser.features.noisy import TALKERS, babble, in_noise, inputs_in_noise
from finser.splits.table import read_parts

CLEAN = "clean"


def samples(seed: int, size: int = 8000, level: float = 1500) -> np.ndarray:
    return np.round(level * np.random.default_rng(seed).standard_normal(size)).astype(np.int16)


VOICES = [samples(100 + number, 3000 + 500 * number, 200 * (number + 1)) for number in range(6)]


@settings(max_examples=40, deadline=None)
@given(st.floats(-5, 30), st.sampled_from(["white", "babble"]), st.integers(0, 9))
def test_the_snr_is_that_of_the_whole_clip(snr, kind, seed):
    clip = samples(seed, 6000, 800)
    noise = in_noise(clip, kind, snr, VOICES, (seed,)).astype(float) - clip
    assert 10 * np.log10(np.mean(clip.astype(float) ** 2) / np.mean(noise**2)) == pytest.approx(snr, abs=0.02)


def test_what_would_exceed_full_scale_is_scaled_as_a_whole():
    clip = np.round(32_000 * np.sin(np.arange(5000) / 10)).astype(np.int16)
    loud = in_noise(clip, "white", 0.0, VOICES, (0,)).astype(float)
    assert 32_766 <= np.abs(loud).max() <= 32_768
    quiet = in_noise(clip // 16, "white", 0.0, VOICES, (0,)).astype(float)
    assert np.corrcoef(loud, quiet)[0, 1] > 0.999, "nothing is clipped"


def test_babble_is_made_of_the_voices_at_equal_power_and_of_nothing_else():
    time = np.arange(4410) / SR  # whole periods, so that the voices' ends meet
    tones = [500, 1000, 2000, 4000]
    voices = [
        np.round(amplitude * np.sin(2 * np.pi * tone * time)).astype(np.int16)
        for tone, amplitude in zip(tones, (300, 3000, 30, 9000), strict=True)
    ]
    spectrum = np.abs(np.fft.rfft(babble(voices, SR, np.random.default_rng(0)))) ** 2
    share = {tone: spectrum[tone - 3 : tone + 4].sum() / spectrum.sum() for tone in tones}
    assert list(share.values()) == pytest.approx([1 / TALKERS] * TALKERS, abs=0.01)


def test_a_voice_that_is_mostly_digital_silence_babbles_all_the_same():
    voice = np.zeros(50_000, np.int16)
    voice[-10:] = 1000
    for seed in range(20):
        assert np.any(babble([voice], 200, np.random.default_rng(seed)))


def test_near_silence_is_no_babble():
    """A voice, then zeros with ten samples of 1: an excerpt of these would become clicks that hold all of the noise's power."""
    voice = np.concatenate([samples(1, 3000, 3000), np.zeros(57_000, np.int16)])
    voice[30_000:30_100:10] = 1
    faint = np.eye(1, 5000, 7, dtype=np.int16)[0]
    for seed in range(40):
        made = babble([voice, faint], 2000, np.random.default_rng(seed))
        assert np.sqrt(np.mean(made**2)) > 0.1, "the talker is at most 20 dB below its clip"
    with pytest.raises(FinserError, match="the training clips: too quiet to make noise of"):
        babble([faint], 2000, np.random.default_rng(0))


def test_equal_names_make_equal_bytes_and_others_others():
    clip = samples(0)
    for kind in ("white", "babble"):
        one, same, other = (in_noise(clip, kind, 10.0, VOICES, names) for names in ((0, "a"), (0, "a"), (0, "b")))
        assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_a_clips_noise_does_not_depend_on_the_others_and_its_features_are_librosas():
    source = Source(lambda row: row, ("rms", "mfcc"), audio=True)
    clips = [samples(number, 5000) for number in range(3)]

    def noisy(chosen: list[int]) -> dict[str, Row]:
        audio = Examples("test", [f"c/{n}" for n in chosen], ["c/s"] * 3, ["original"] * 3, np.zeros(3), [clips[n] for n in chosen])
        return {row.clip_id: row for row in inputs_in_noise(source, audio, VOICES, "babble", 5.0, 0, "frame")}

    together, alone = noisy([0, 1, 2]), noisy([2, 0, 1])
    for clip_id, row in together.items():
        assert np.array_equal(row.audio, alone[clip_id].audio) and set(row.features) == {"rms", "mfcc"}
        assert row.features["rms"][:, 0] == pytest.approx(librosa.feature.rms(y=row.audio / np.float32(32768))[0], abs=1e-6)


@pytest.mark.parametrize("definition", ["frame", "librosa_default"])
def test_a_clip_in_noise_has_the_features_that_were_learned_from(definition):
    """Noise of 120 dB below the clip rounds to none, and what is left is the clip's own label row."""
    source, clip = Source(lambda row: row.features, ("rms", "zcr", "chroma", "mfcc", "mel")), samples(3, 5000)
    audio = Examples("test", ["c/1"], ["c/s"], ["original"], np.zeros(1), [clip])
    (found,) = inputs_in_noise(source, audio, VOICES, "white", 120.0, 0, definition)
    for name, expected in features(clip, definition).items():
        np.testing.assert_array_equal(found[name], expected, err_msg=name)
    assert not np.array_equal(features(clip, "frame")["mfcc"], features(clip, "librosa_default")["mfcc"])


@pytest.fixture
def curve_params(params) -> Params:
    asked = {"noise": {"kinds": ("white", "babble"), "snr_db": (60.0, -20.0), "clips": 16}}
    return Params.model_validate({**params.model_dump(), "evaluate_classifier": asked})


def test_the_curve_hears_training_voices_only_and_test_clips_only(finished, curve_params, run, monkeypatch):
    heard = {"audio": set(), "voices": []}

    def listen(source, audio, voices, *rest):
        heard["audio"] |= set(audio.clip_ids)
        heard["voices"] += voices
        return inputs_in_noise(source, audio, voices, *rest)

    monkeypatch.setattr(evaluation, "inputs_in_noise", listen)
    figures = run(curve_params, "svm")["noise"]
    parts = read_parts("speaker", 1, ["ravdess"])
    clips = {name: set(table["clip_id"].to_pylist()) for name, table in parts.items()}
    of = {row.audio.tobytes(): row.clip_id for row in read_audio(layout.shards("ravdess")) if row.variant == "original"}
    assert {of[voice.tobytes()] for voice in heard["voices"]} <= clips["train"]
    assert heard["audio"] <= clips["test"] and len(heard["audio"]) == 16
    assert set(figures) == {CLEAN, "white", "babble"} and set(figures["white"]) == {"60", "-20"}
    assert figures["white"]["60"] == figures["babble"]["60"] == figures[CLEAN]["inf"] > 0.8
    assert figures["white"]["-20"] < 0.5


def test_no_curve_where_none_is_asked_for(finished, params, run):
    assert run(params, "svm")["noise"] == {}
