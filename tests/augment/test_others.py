"""Babble and files of noise: who and what is mixed in, how loud, and from where."""

import hashlib
from functools import partial

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from finser import layout
from finser.augment import Sounds, apply, others
from finser.errors import FinserError
from finser.params import Augment, Babble
from finser.shards import read_audio, write_audio


@pytest.fixture
def sounds(project, settings) -> Sounds:
    return Sounds.of(settings, layout.audio("savee"))


def level(y: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.square(y, dtype=float)))


def test_babble_is_other_speakers(sounds, settings, row):
    for number in range(15):
        drawn = others.draw_babble(Babble(talkers=2), number, row("DC", number, 0.2), sounds)
        assert {clip_id.split("/")[1] for clip_id in drawn["clip_ids"]} == {"JE", "KL"}
        for clip_id, offset in zip(drawn["clip_ids"], drawn["offsets"], strict=True):
            assert 0 <= offset < len(sounds.clips.audio(clip_id))


def test_where_speakers_are_few_they_give_more_clips(sounds, row):
    drawn = others.draw_babble(Babble(talkers=5), 1, row("DC", 0, 0.2), sounds)
    talkers = [clip_id.split("/")[1] for clip_id in drawn["clip_ids"]]
    assert len(talkers) == 5 and sorted([talkers.count("JE"), talkers.count("KL")]) == [2, 3]


def test_every_clip_of_another_speaker_may_talk(sounds, row):
    heard = {clip for seed in range(200) for clip in others.draw_babble(Babble(talkers=2), seed, row("DC", 0, 0.1), sounds)["clip_ids"]}
    assert heard == {f"savee/{speaker}/a{number:02d}" for speaker in ("JE", "KL") for number in range(15)}


def test_a_corpus_of_one_speaker_has_no_babble(project, row):
    write_audio(layout.audio("savee"), [row("DC", 1)])
    with pytest.raises(FinserError, match="savee: babble needs another speaker; take it out"):
        others.draw_babble(Babble(), 1, row("DC", 1), Sounds(layout.audio("savee")))


def test_babble_is_the_sum_of_its_talkers_at_the_ratio(sounds):
    """By hand, in float64: every talker at power 1, around its end, and the sum scaled to the ratio."""
    y = np.random.default_rng(0).normal(0, 0.1, 5000)
    names, offsets = ["savee/JE/a03", "savee/KL/a01"], [700, 2000]
    added = others.add_babble(y, sounds, clip_ids=names, offsets=offsets, snr_db=7.0) - y
    clips = {row.clip_id: row.audio / 32768 for row in read_audio(layout.audio("savee"))}
    rolled = [np.resize(np.roll(clips[name], -offset), 5000) / clips[name].std() for name, offset in zip(names, offsets, strict=True)]
    assert level(y) - level(added) == pytest.approx(7, abs=1e-3)
    assert np.corrcoef(added, sum(rolled))[0, 1] > 0.9999


def test_noise_file_is_the_recording_at_the_ratio(sounds, noise_folder):
    """The stereo one at 48 kHz: mixed, resampled, from the offset on."""
    y = np.random.default_rng(0).normal(0, 0.1, 8000)
    path = noise_folder / "audio/1-3-A-2.wav"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    added = others.add_noise_file(y, sounds, file="audio/1-3-A-2.wav", sha256=digest, offset=1000, snr_db=-3.0) - y
    samples, sr = soundfile.read(path, start=1000)
    expected = soxr.resample(samples.mean(axis=1), sr, 22050)[:8000]
    assert level(y) - level(added) == pytest.approx(-3, abs=1e-3)
    assert np.corrcoef(added[:-100], expected[:-100])[0, 1] > 0.999


def test_noise_files_are_drawn_evenly_and_never_silent(sounds, settings, row):
    original, counts = row("DC", 1, 0.2), {}
    for seed in range(90):
        drawn = others.draw_noise_file(settings.noise_file, seed, original, sounds)
        counts[drawn["file"]] = counts.get(drawn["file"], 0) + 1
        made = apply(original.audio, "noise_file", drawn, sounds)
        found = level(original.audio) - level(made.astype(float) - original.audio)
        assert np.abs(made).max() >= 32700 or found == pytest.approx(drawn["snr_db"], abs=0.1)
        assert 0 <= drawn["snr_db"] <= 20
    assert sorted(counts) == list(sounds.names) and min(counts.values()) > 15


def test_another_recording_under_the_same_name_is_refused(project, row, tmp_path):
    folder = tmp_path / "noise"
    folder.mkdir()
    soundfile.write(folder / "hum.wav", np.full(1000, 0.1), 22050)
    found = {"folder": folder, "files": 1, "bytes": (folder / "hum.wav").stat().st_size}
    sounds = Sounds.of(Augment(variants=("noise_file",), noise_file=found), layout.audio("savee"))
    original = row("DC", 1, 0.1)
    drawn = others.draw_noise_file(Augment(noise_file=found).noise_file, 1, original, sounds)
    soundfile.write(folder / "hum.wav", np.full(1000, 0.2), 22050)
    with pytest.raises(FinserError, match=r"hum.wav: not the recording that was drawn; expected sha256"):
        apply(original.audio, "noise_file", drawn, sounds)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 60), st.integers(0, 39))
def test_an_excerpt_is_found_where_there_is_sound(pattern, size, offset):
    y = np.array(pattern, float)
    offset %= len(y)
    search = partial(others.where_sound_is, partial(others._around, y), len(y), size, offset, where="rain.wav")
    if not y.any():
        with pytest.raises(FinserError, match=r"rain.wav: nothing but digital silence"):
            search()
        return
    found = search()
    assert 0 <= found < len(y) and others._around(y, found, size).any()
    if others._around(y, offset, size).any():
        assert found == offset
