import hashlib
from pathlib import Path, PurePosixPath

import librosa
import numpy as np
import pytest
import soundfile

from finser import synthetic
from finser.corpora.known import registry
from finser.synthetic.oddities import Oddity

RATES = {"ravdess": 48000, "crema_d": 16000, "tess": 24414, "savee": 44100, "esd": 16000}


def _sums(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.wav")}


def _odd(made, corpus: str, kind: str) -> tuple[Path, Oddity]:
    folder, clips = made[corpus]
    (oddity,) = [oddity for oddity in synthetic.oddities(corpus, clips) if oddity.kind == kind]
    return folder, oddity


def _make(params, corpus: str, folder: Path) -> dict[str, str]:
    folder.mkdir()
    synthetic.make(params, corpus, folder)
    return _sums(folder)


# -------------------------------------------------------------------------------------------------------------------- all


@pytest.mark.parametrize("corpus", RATES)
def test_files_are_those_planned(made, corpus):
    folder, clips = made[corpus]
    odd = synthetic.oddities(corpus, clips)
    renamed = {oddity.path: oddity.other for oddity in odd if oddity.kind == "misnamed"}
    missing = {oddity.path for oddity in odd if oddity.kind == "missing"}
    assert set(_sums(folder)) == {renamed.get(clip.path, clip.path) for clip in clips} - missing


@pytest.mark.parametrize("corpus", RATES)
def test_files_have_the_publishers_format_and_hold_speech(made, corpus):
    folder, clips = made[corpus]
    untouched = {clip.path for clip in clips} - {oddity.path for oddity in synthetic.oddities(corpus, clips)}
    for path in untouched:
        info = soundfile.info(folder / path)
        assert (info.samplerate, info.channels, info.subtype, info.format) == (RATES[corpus], 1, "PCM_16", "WAV")
        assert 0.8 < info.duration < 8
        samples, _ = soundfile.read(folder / path)
        assert -45 < 20 * np.log10(np.sqrt(np.mean(samples**2))) < -6


@pytest.mark.parametrize("corpus", RATES)
def test_every_file_parses_to_a_planned_speaker_and_emotion(made, corpus):
    folder, clips = made[corpus]
    planned = {(f"{corpus}/{clip.speaker}", clip.emotion) for clip in clips}
    for name in _sums(folder):
        parsed = registry.get(corpus).parse(PurePosixPath(name))
        assert (parsed.speaker, parsed.emotion) in planned


@pytest.mark.parametrize("corpus", RATES)
def test_it_says_that_it_is_synthetic(made, corpus):
    text = (made[corpus][0] / "SYNTHETIC.txt").read_text(encoding="utf-8")
    assert "SYNTHETIC" in text and "eSpeak NG" in text and "no claim about real speech" in text


# ------------------------------------------------------------------------------------------------------------ determinism


def test_bytes_depend_on_nothing_but_the_clip_and_the_seed(params_for, tmp_path, monkeypatch):
    ordinary, plan = synthetic.plan, synthetic.plan
    larger = _make(params_for("savee", 2, 2), "savee", tmp_path / "larger")

    monkeypatch.setenv("FINSER_CORES", "2")
    assert _make(params_for("savee", 2, 2), "savee", tmp_path / "two-workers") == larger
    monkeypatch.setenv("FINSER_CORES", "1")

    smaller = _make(params_for("savee", 1, 1), "savee", tmp_path / "smaller")
    assert smaller.items() <= larger.items() and len(smaller) == 8

    monkeypatch.setattr(synthetic, "plan", lambda *args: ordinary(*args)[::-1])
    assert _make(params_for("savee", 1, 1), "savee", tmp_path / "backwards") == smaller
    monkeypatch.setattr(synthetic, "plan", plan)

    other_seed = _make(params_for("savee", 1, 1, seed=1), "savee", tmp_path / "other-seed")
    assert set(other_seed) == set(smaller) and not set(other_seed.values()) & set(smaller.values())


def test_a_process_per_utterance_gives_the_same_bytes(params_for, tmp_path, monkeypatch, made):
    monkeypatch.setattr(synthetic, "needs_child", lambda: True)
    assert _make(params_for("savee", 1, 1), "savee", tmp_path / "children").items() <= _sums(made["savee"][0]).items()


# -------------------------------------------------------------------------------------------------------------- oddities


def test_crema_d_silent_file_is_exactly_zero(made):
    folder, oddity = _odd(made, "crema_d", "silent")
    samples, _ = soundfile.read(folder / oddity.path, dtype="int16")
    assert oddity.path == "AudioWAV/1076_MTI_SAD_XX.wav" and len(samples) > 16000 and not samples.any()


@pytest.mark.parametrize("corpus", ["crema_d", "ravdess"])
def test_copies_are_byte_identical_and_no_others_are(made, corpus):
    folder, oddity = _odd(made, corpus, "copy")
    sums = _sums(folder)
    assert sums[oddity.path] == sums[oddity.other]
    assert len(set(sums.values())) == len(sums) - 1
    one, two = (registry.get(corpus).parse(PurePosixPath(path)) for path in (oddity.path, oddity.other))
    assert one.speaker == two.speaker and (one.emotion == two.emotion) == (corpus == "ravdess")


def test_crema_d_name_with_one_x(made):
    folder, oddity = _odd(made, "crema_d", "misnamed")
    assert (folder / oddity.other).name.endswith("_X.wav") and not (folder / oddity.path).exists()


def test_ravdess_stereo_has_equal_channels(made):
    folder, oddity = _odd(made, "ravdess", "stereo")
    samples, rate = soundfile.read(folder / oddity.path)
    assert rate == 48000 and samples.shape[1] == 2 and np.array_equal(samples[:, 0], samples[:, 1]) and samples.any()


def test_ravdess_quiet_file_is_quiet_speech(made):
    folder, oddity = _odd(made, "ravdess", "quiet")
    samples, _ = soundfile.read(folder / oddity.path)
    assert 1e-4 < np.sqrt(np.mean(samples**2)) < 1e-3


def test_tess_aiff_under_the_name_wav(made):
    folder, oddity = _odd(made, "tess", "aiff")
    path = folder / oddity.path
    assert path.suffix == ".wav" and path.read_bytes()[:4] == b"FORM" and path.read_bytes()[8:12] == b"AIFF"
    assert soundfile.info(path).samplerate == 24414 and soundfile.read(path)[0].any()


def test_tess_file_at_96_khz(made):
    folder, oddity = _odd(made, "tess", "high_rate")
    info = soundfile.info(folder / oddity.path)
    assert info.samplerate == 96000 and info.channels == 1 and 0.8 < info.duration < 4


def test_tess_name_without_f_and_uneven_folders(made):
    folder, oddity = _odd(made, "tess", "misnamed")
    assert (folder / oddity.other).name.startswith("OA_") and (folder / oddity.other).parent.name == "OAF_neutral"
    assert {"OAF_Fear", "OAF_Pleasant_surprise", "OAF_Sad", "YAF_pleasant_surprised"} <= {path.name for path in folder.iterdir()}


def test_esd_missing_file_is_in_the_transcript(made):
    folder, oddity = _odd(made, "esd", "missing")
    assert not (folder / oddity.path).exists()
    speaker = oddity.path.split("/")[0]
    assert Path(oddity.path).stem in (folder / speaker / f"{speaker}.txt").read_text(encoding="utf-8-sig")


def test_esd_transcripts_one_with_a_byte_order_mark(made):
    folder, _ = made["esd"]
    english, mandarin = (folder / "0011/0011.txt").read_bytes(), (folder / "0001/0001.txt").read_bytes()
    assert mandarin.startswith(b"\xef\xbb\xbf") and not english.startswith(b"\xef\xbb\xbf")
    assert "\t快乐\n" in mandarin.decode("utf-8-sig") and b"\tHappy\n" in english


# --------------------------------------------------------------------------------------------------------------- acoustics


@pytest.fixture(scope="module")
def measured(params_for, tmp_path_factory) -> dict[str, np.ndarray]:
    """Per emotion the mean of f0 (Hz, median of a clip), level (dB) and length without silence (s); two speakers."""
    folder, params = tmp_path_factory.mktemp("acoustics"), params_for("savee", 2, 3)
    synthetic.make(params, "savee", folder)
    values: dict[str, list] = {}
    for clip in synthetic.plan(params.fetch["savee"], "savee"):
        samples, rate = librosa.load(folder / clip.path, sr=16000)
        samples, _ = librosa.effects.trim(samples, top_db=30)
        f0, level = librosa.yin(samples, fmin=60, fmax=500, sr=rate), librosa.feature.rms(y=samples)[0]
        voiced = level[: len(f0)] > 0.3 * level.max()
        values.setdefault(clip.emotion, []).append((np.median(f0[voiced]), 20 * np.log10(level.mean()), len(samples) / rate))
    return {emotion: np.mean(rows, axis=0) for emotion, rows in values.items()}


def test_f0_follows_the_emotion(measured):
    assert measured["surprise"][0] > 1.3 * measured["sad"][0]
    assert measured["fear"][0] > 1.1 * measured["neutral"][0] > measured["sad"][0]


def test_level_follows_the_emotion(measured):
    assert measured["angry"][1] > measured["neutral"][1] + 3 > measured["sad"][1] + 6


def test_pace_follows_the_emotion(measured):
    assert measured["sad"][2] > 1.2 * max(measured["happy"][2], measured["angry"][2])
