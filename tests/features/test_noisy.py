"""Test clips in noise: the SNR, whose voices babble, and that nothing depends on order."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finser import layout
from finser.audio.frames import SR
from finser.audio.shards import AudioRow, read_audio, read_labels
from finser.config.params import Params
from finser.errors import FinserError
from finser.features.labels import features
from finser.features.noisy import TALKERS, babble, in_noise, noisy
from finser.features.noisy_clips import noisy_clips, read_noisy
from finser.features.statistics import summary
from finser.splits.table import read_parts


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


def with_noise(params: Params, clips: int) -> Params:
    noise = {"noise": {"kinds": ("white", "babble"), "snr_db": (60.0, -20.0), "clips": clips}}
    return Params.model_validate({**params.model_dump(), "evaluate_classifier": noise})


@pytest.fixture
def asked(params) -> Params:
    return with_noise(params, 16)


def shards(params: Params) -> dict[tuple[str, str], AudioRow]:
    """The rows that stage `noisy` writes for fold 1 of `speaker`."""
    noisy(params, "speaker", 1)
    return {(row.clip_id, row.variant): row for row in read_audio(layout.noisy("speaker", 1) / "shards")}


def test_noisy_rows_are_test_clips_in_every_kind_and_level_with_librosas_labels(project, asked):
    rows = shards(asked)
    tests = set(read_parts("speaker", 1, ["ravdess"])["test"]["clip_id"].to_pylist())
    assert {clip for clip, _ in rows} == set(noisy_clips("speaker", 1)) <= tests and len(noisy_clips("speaker", 1)) == 16
    assert {name for _, name in rows} == {"white_60", "white_-20", "babble_60", "babble_-20"} and len(rows) == 4 * 16
    for label in read_labels(layout.noisy("speaker", 1) / "labels"):
        y = rows[label.clip_id, label.variant].audio / np.float32(32768)
        assert label.features["rms"][:, 0] == pytest.approx(librosa.feature.rms(y=y)[0], abs=1e-6)


def test_a_clips_noise_does_not_depend_on_the_other_clips(project, asked, params):
    """With half as many clips every other one is the same."""
    many, few = shards(asked), shards(with_noise(params, 2))
    assert few.keys() <= many.keys() and len(few) == 8
    assert all(np.array_equal(row.audio, many[key].audio) for key, row in few.items())


def test_the_number_of_processes_changes_no_byte(project, asked, monkeypatch):
    contents = []
    for cores in "12":
        monkeypatch.setenv("FINSER_CORES", cores)
        noisy(asked, "speaker", 1)
        contents.append({path.name: path.read_bytes() for path in sorted(layout.noisy("speaker", 1).rglob("*.parquet"))})
    assert contents[0] == contents[1]


@pytest.mark.parametrize("definition", ["frame", "librosa_default"])
def test_labels_in_noise_have_the_definition_that_was_learned_from(project, asked, definition):
    changed = Params.model_validate(
        {
            **asked.model_dump(),
            "label": {"definition": definition},
            "train_fin": {"data": {"corpora": ("ravdess",), "disturbance": {"noise": 0, "origin_16k": 0, "origin_8k": 0}}},
        }
    )
    rows = shards(changed)
    for label in list(read_labels(layout.noisy("speaker", 1) / "labels"))[:3]:
        for name, expected in features(rows[label.clip_id, label.variant].audio, definition).items():
            np.testing.assert_allclose(label.features[name], expected, rtol=1e-5, atol=1e-5, err_msg=name)  # other threads


def test_babble_is_made_of_training_clips_only(project, asked, monkeypatch):
    heard = []

    def listen(clip, kind, snr_db, voices, names):
        heard.extend(voices)
        return in_noise(clip, kind, snr_db, voices, names)

    monkeypatch.setattr("finser.features.noisy.in_noise", listen)
    noisy(asked, "speaker", 1)
    of = {row.audio.tobytes(): row.clip_id for row in read_audio(layout.shards("ravdess")) if row.variant == "original"}
    trains = set(read_parts("speaker", 1, ["ravdess"])["train"]["clip_id"].to_pylist())
    assert heard and {of[voice.tobytes()] for voice in heard} <= trains


def test_the_curve_falls_with_the_noise(finished, asked, run):
    noisy(asked, "speaker", 1)
    curve = run(asked, "svm")["noise"]
    assert set(curve) == {"clean", "white", "babble"} and set(curve["white"]) == {"60", "-20"}
    assert curve["white"]["60"] == curve["babble"]["60"] == curve["clean"]["inf"] > 0.8
    assert curve["white"]["-20"] < 0.5


def test_no_curve_where_none_is_asked_for(finished, params, run):
    assert noisy_clips("speaker", 1) == [] and run(params, "svm")["noise"] == {}


def test_a_variant_that_was_not_made_is_one_line(project, asked):
    noisy(asked, "speaker", 1)
    with pytest.raises(FinserError, match=r"data/noisy/speaker/1: no white_5 of 16 clips, e\.g\. ravdess/.*; run: dvc repro"):
        read_noisy(summary(), "speaker", 1, "white_5", noisy_clips("speaker", 1))
