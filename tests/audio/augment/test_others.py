"""Babble and files of noise: who and what is mixed in, how loud, and from where."""

import hashlib
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from finser import layout
from finser.audio.augment import Sounds, apply, others
from finser.audio.augment.changes import mix, power
from finser.audio.augment.excerpts import STEP, first_loud, is_loud_enough
from finser.audio.frames import to_float
from finser.audio.shards import read_audio, write_audio
from finser.config.schema import Augment, Babble, NoiseFile
from finser.corpora.folders import digest
from finser.errors import FinserError


@pytest.fixture
def sounds(project, settings) -> Sounds:
    return Sounds.of(settings, layout.audio("savee"))


def noise_section(folder) -> NoiseFile:
    """The section that describes the recordings in a folder."""
    files = list(folder.rglob("*.wav"))
    names = [path.relative_to(folder) for path in files]
    return NoiseFile(folder=folder, files=len(files), bytes=sum(path.stat().st_size for path in files), digest=digest(folder, names))


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
    found = noise_section(folder)
    sounds = Sounds.of(Augment(variants=("noise_file",), noise_file=found), layout.audio("savee"))
    original = row("DC", 1, 0.1)
    drawn = others.draw_noise_file(Augment(noise_file=found).noise_file, 1, original, sounds)
    soundfile.write(folder / "hum.wav", np.full(1000, 0.2), 22050)
    with pytest.raises(FinserError, match=r"hum.wav: not the recording that was drawn; expected sha256"):
        apply(original.audio, "noise_file", drawn, sounds)


def peak(y: np.ndarray) -> float:
    return float(np.abs(y).max())


def crest(y: np.ndarray) -> float:
    return peak(y) / np.sqrt(np.mean(np.square(y, dtype=float)))


def noisy_folder(tmp_path, samples, sr=22050) -> tuple[Augment, Sounds]:
    """A folder with one recording of noise (float, shape (n,)), stored in 16 bit."""
    folder = tmp_path / "noise"
    folder.mkdir(exist_ok=True)
    soundfile.write(folder / "hum.wav", samples, sr, subtype="PCM_16")
    found = Augment(variants=("noise_file",), noise_file=noise_section(folder))
    return found, Sounds.of(found, layout.audio("savee"))


def test_the_click_of_ten_samples(project, row, tmp_path):
    """As ESC-50 pads: a second of noise, then zeros with ten samples of 1/32768. These are no excerpt of noise."""
    samples = np.zeros(5 * 22050)
    samples[:22050] = 0.1 * np.random.default_rng(0).standard_normal(22050)
    samples[60_000:60_100:10] = 1 / 32768
    settings, sounds = noisy_folder(tmp_path, samples)
    original = row("DC", 1, 0.5)
    for seed in range(40):
        drawn = others.draw_noise_file(settings.noise_file, seed, original, sounds)
        made = apply(original.audio, "noise_file", drawn | {"snr_db": 10.0}, sounds)
        assert peak(made.astype(float)) < 2.5 * peak(original.audio.astype(float)), drawn
        assert np.array_equal(made, apply(original.audio, "noise_file", drawn | {"snr_db": 10.0}, sounds))


def test_the_click_of_a_talker(project, row):
    """JE's and KL's clips are two seconds of voice, then one of zeros with a single sample of 1/32768: no excerpt of babble."""
    rows = [row("DC", 1, 0.5)]
    for speaker in ("JE", "KL"):
        whole = row(speaker, 1, 3.0)
        audio = whole.audio.copy()
        audio[44_100:] = 0
        audio[55_000] = 1
        rows.append(replace(whole, audio=audio))
    write_audio(layout.audio("savee"), rows)
    sounds, y = Sounds(layout.audio("savee")), to_float(rows[0].audio)
    asked = np.sqrt(power(y) / 10)
    for seed in range(40):
        drawn = others.draw_babble(Babble(talkers=1), seed, rows[0], sounds)
        added = others.add_babble(y, sounds, **drawn | {"snr_db": 10.0}) - y
        assert peak(added) < 10 * crest(rows[1].audio) * asked, drawn


def test_a_clip_below_one_step_of_16_bit_does_not_talk(project, row):
    """One clip of JE's is a single sample of 1/32768: the other talks, and where there is no other, one line says so."""
    faint = replace(row("JE", 1, 1.0), audio=np.eye(1, 22050, 7, dtype=np.int16)[0])
    write_audio(layout.audio("savee"), [row("DC", 1, 0.3), faint, row("JE", 2, 1.0)])
    sounds = Sounds(layout.audio("savee"))
    drawn = [others.draw_babble(Babble(talkers=1), seed, row("DC", 1, 0.3), sounds)["clip_ids"] for seed in range(20)]
    assert drawn == [["savee/JE/a02"]] * 20
    write_audio(layout.audio("savee"), [row("DC", 1, 0.3), faint])
    with pytest.raises(FinserError, match="savee/JE/a01: too quiet to make noise of.*take babble out of augment.variants"):
        others.draw_babble(Babble(talkers=1), 0, row("DC", 1, 0.3), Sounds(layout.audio("savee")))


def test_a_recording_that_is_only_above_11_khz_is_no_noise(project, row, tmp_path):
    """A whistle for dogs at 96 kHz: 16-bit zeros at 22,050 Hz, which cannot be scaled to any level."""
    whistle = 0.5 * np.hanning(96_000) * np.sin(2 * np.pi * 30_000 * np.arange(96_000) / 96_000)
    settings, sounds = noisy_folder(tmp_path, whistle, 96_000)
    with pytest.raises(FinserError, match="hum.wav: too quiet to make noise of.*take it out of the folder"):
        others.draw_noise_file(settings.noise_file, 1, row("DC", 1, 0.2), sounds)


@given(
    st.lists(st.tuples(st.integers(1, 4000), st.sampled_from([0.0, 0.14, 1.0, 3000.0])), min_size=1, max_size=12),
    st.integers(1, 4000),
    st.integers(0, 40_000),
    st.floats(-20, 40),
)
def test_the_peak_of_what_is_mixed_in_is_bounded(pieces, size, offset, snr_db):
    """At most 10 times the crest factor of the recording, times the rms asked for; any recording of an rms of one step has an excerpt."""
    random = np.random.default_rng(0)
    noise = np.concatenate([np.rint(level * random.standard_normal(length)) for length, level in pieces]) / 32768
    read = partial(others._around, noise, size=size)
    begin = first_loud(read, len(noise), size, offset % len(noise), power(noise))
    if begin is None:
        assert power(noise) < STEP**2
        return
    y = 0.1 * random.standard_normal(size)
    added = mix(y, read(begin), snr_db) - y
    asked = np.sqrt(power(y) / 10 ** (snr_db / 10))
    assert np.sqrt(power(added)) == pytest.approx(asked, rel=1e-4)
    assert peak(added) <= 10.001 * crest(noise) * asked
    if is_loud_enough(read(offset % len(noise)), power(noise)):
        assert begin == offset % len(noise)


def test_silence_has_no_signal_to_noise_ratio():
    with pytest.raises(FinserError, match="silent noise"):
        mix(np.ones(5), np.zeros(5), 0.0)
    assert np.array_equal(mix(np.zeros(5), np.ones(5), 0.0), np.zeros(5))
