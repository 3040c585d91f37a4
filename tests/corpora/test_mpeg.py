"""Lengths of MP3 files of every rate, constant and variable, whole and cut, with and without a stated length."""

from contextlib import nullcontext

import numpy as np
import pytest
import soundfile

from finser.corpora.mpeg import check, frames_of
from finser.errors import FinserError

SECONDS = 3.3
RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


@pytest.fixture(params=[(sr, mode) for sr in RATES for mode in ("CONSTANT", "VARIABLE")], ids=str)
def recording(request, tmp_path):
    """An MP3 file with a first frame that states the length, as LAME writes it; and its rate and mode."""
    sr, mode = request.param
    noise = 0.2 * np.random.default_rng(sr).standard_normal((int(SECONDS * sr), 1 + sr % 2))
    soundfile.write(tmp_path / "a.mp3", noise, sr, format="MP3", bitrate_mode=mode, compression_level=0.5)
    return tmp_path / "a.mp3", sr, mode


def test_the_frames_are_the_audio(recording):
    """The encoder adds its delay, and fills the last frame: fewer than three frames."""
    path, sr, _ = recording
    frames = list(frames_of(path))
    assert set(frames) == {1152 if sr >= 32_000 else 576}
    assert 0 <= sum(frames) - int(SECONDS * sr) < 3 * frames[0]
    check(path, "w")


def test_a_cut_file_is_refused(recording):
    path, *_ = recording
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FinserError, match=r"w: truncated audio; expected 3.30 s, as the file states; found 1\.\d+ s; copy or download"):
        check(path, "w")


def test_without_a_stated_length_libsndfile_may_read_a_part(recording):
    """It takes the bit rate of the first frame for that of all; a constant one is right."""
    path, _, mode = recording
    whole = path.read_bytes()
    path.write_bytes(whole[_length(whole) :])
    said = r"libsndfile would read a part of it; expected 3\.\d+ s; found .*; convert it"
    with nullcontext() if mode == "CONSTANT" else pytest.raises(FinserError, match=said):
        check(path, "w")


def _length(whole: bytes) -> int:
    """Return the length of the first frame, after which the next one begins with the same two bytes."""
    return next(place for place in range(24, 2000) if whole[place : place + 2] == whole[:2] and whole[place + 4 : place + 8] != whole[4:8])


def test_tags_and_rubbish_are_no_frames(recording):
    path, *_ = recording
    whole, frames = path.read_bytes(), list(frames_of(path))
    tag = b"ID3\x03\0\0\0\0\x01\x00" + b"\xff\xfb" * 64
    path.write_bytes(tag + whole + b"TAG" + bytes(125))
    assert list(frames_of(path)) == frames
    path.write_bytes(b"rubbish\xff\xfb\x90" + whole)
    assert list(frames_of(path)) == frames


def test_other_formats_are_accepted(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(9), 8000)
    (tmp_path / "b.wav").write_bytes(b"x")
    check(tmp_path / "a.wav", "w")
    check(tmp_path / "b.wav", "w")
