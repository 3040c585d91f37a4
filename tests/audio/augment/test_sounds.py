"""A folder of noise is what params.yaml says, or one line says how it differs."""

import os
import shutil

import numpy as np
import pytest
import soundfile

from finser.audio.augment.sounds import Sounds, checked_names
from finser.config.schema import Augment, NoiseFile
from finser.corpora.folders import digest
from finser.errors import FinserError


@pytest.fixture
def esc(tmp_path, noise_folder):
    shutil.copytree(noise_folder, tmp_path / "esc")
    return tmp_path / "esc"


def section(settings, folder, **changes) -> NoiseFile:
    return settings.noise_file.model_copy(update={"folder": folder, **changes})


def test_esc_50_is_understood(esc, settings):
    soundfile.write(esc / "loose.wav", np.zeros(10), 22050)  # none of ESC-50's
    names = ("audio/1-1-A-0.wav", "audio/1-2-A-1.wav", "audio/1-3-A-2.wav")
    assert checked_names(section(settings, esc, digest=digest(esc, names))) == names


def test_esc_50s_list_and_folder_must_agree(esc, settings):
    (esc / "audio/1-2-A-1.wav").unlink()
    with pytest.raises(FinserError, match=r"esc50.csv: the list and the folder audio/ differ; found audio/1-2-A-1.wav in one only"):
        checked_names(section(settings, esc))
    (esc / "meta/esc50.csv").write_text("name\nx\n")
    with pytest.raises(FinserError, match="not ESC-50's list"):
        checked_names(section(settings, esc))


def test_any_folder_will_do(esc, settings):
    shutil.rmtree(esc / "meta")
    (esc / "deep/er").mkdir(parents=True)
    (esc / "audio/1-1-A-0.wav").rename(esc / "deep/er/RAIN.WAV")
    names = ("audio/1-2-A-1.wav", "audio/1-3-A-2.wav", "deep/er/RAIN.WAV")
    assert checked_names(section(settings, esc, digest=digest(esc, names))) == names


@pytest.mark.parametrize(
    "given", [{"files": None, "bytes": None, "digest": None}, {"files": 4}, {"bytes": 5}, {"digest": "sha256:" + "0" * 64}]
)
def test_a_folder_that_changed_is_refused_and_what_was_found_is_said(esc, settings, given):
    right = settings.noise_file
    with pytest.raises(
        FinserError,
        match=rf"found files: {right.files}, bytes: {right.bytes}, digest: sha256:\w{{64}}; write what was found into",
    ):
        Sounds.of(Augment(variants=("noise_file",), noise_file=section(settings, esc, **given)), esc)


def test_a_recording_that_was_replaced_by_one_of_the_same_size_is_seen(esc, settings):
    names = ("audio/1-1-A-0.wav", "audio/1-2-A-1.wav", "audio/1-3-A-2.wav")
    noted = section(settings, esc, digest=digest(esc, names))
    checked_names(noted)
    os.utime(esc / names[0], ns=(2 * 10**18, 2 * 10**18))
    with pytest.raises(FinserError, match="the folder of noise is not what params.yaml says"):
        checked_names(noted)


def test_no_folder_and_no_recording(tmp_path, settings):
    with pytest.raises(FinserError, match="no such folder"):
        checked_names(section(settings, tmp_path / "nowhere"))
    with pytest.raises(FinserError, match="no recording of noise here"):
        checked_names(section(settings, tmp_path))


def test_excerpts_go_around_the_end_and_read_no_more_than_they_need(esc, monkeypatch):
    sounds = Sounds(esc, esc, ("audio/1-3-A-2.wav",))
    whole = soundfile.read(esc / sounds.names[0], dtype="float32")[0].mean(axis=1)
    length, sr = sounds.shape(sounds.names[0])
    assert (length, sr) == (44100, 48000)
    asked, read = [], soundfile.read
    monkeypatch.setattr(soundfile, "read", lambda *args, **how: asked.append(how["frames"]) or read(*args, **how))
    np.testing.assert_array_equal(sounds.excerpt(sounds.names[0], 44000, 500), np.concatenate([whole[44000:], whole[:400]]))
    assert asked == [100, 400]
    np.testing.assert_array_equal(sounds.excerpt(sounds.names[0], 5, 100_000), np.resize(np.roll(whole, -5), 100_000))


def test_a_broken_file_is_one_line(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"RIFF....")
    with pytest.raises(FinserError, match=r"x.wav: not readable as audio"):
        Sounds(tmp_path, tmp_path, ("x.wav",)).shape("x.wav")
    soundfile.write(tmp_path / "x.wav", np.zeros(0), 22050)
    with pytest.raises(FinserError, match=r"x.wav: holds no sample"):
        Sounds(tmp_path, tmp_path, ("x.wav",)).shape("x.wav")


def test_a_file_of_which_no_excerpt_can_be_read_is_one_line(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.full(9000, 0.1), 8000, subtype="GSM610")
    with pytest.raises(FinserError, match=r"x.wav: is compressed so that no excerpt.*ffmpeg"):
        Sounds(tmp_path, tmp_path, ("x.wav",)).shape("x.wav")


def test_nothing_is_opened_before_it_is_asked_for(tmp_path):
    assert Sounds.of(Augment(), tmp_path / "nowhere").names == ()
