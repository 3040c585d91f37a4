"""Windows of recordings of any length, and samples of any type."""

import io
import tracemalloc

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from finser.audio.frames import SR
from finser.errors import FinserError
from finser.predict.sound import Windows, as_float, cut, of_array, of_file, resampled, windows_of_file, windows_of_pcm

LENGTH, HOP = 3000 / SR, 1000 / SR


def blocks_of(wave, size):
    return (wave[first : first + size] for first in range(0, len(wave), size))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12_000), st.integers(1, 5000), st.integers(250, 3000))
def test_windows_cover_a_signal_and_do_not_depend_on_its_blocks(n, size, hop):
    wave = np.random.default_rng(n).uniform(-0.9, 0.9, n).astype(np.float32)
    found = list(cut(blocks_of(wave, size), Windows(LENGTH, hop / SR)))
    places = [(round(one.start * SR), round(one.end * SR)) for one in found]
    assert places[0][0] == 0 and places[-1][1] == n
    assert [start for start, _ in places[:-1]] == [number * hop for number in range(len(places) - 1)]
    assert all(end - start == min(n, 3000) for start, end in places)
    assert all(0 < b[0] - a[0] <= hop for a, b in zip(places, places[1:], strict=False))
    covered = np.zeros(n, bool)
    for (start, end), one in zip(places, found, strict=True):
        assert np.abs(one.audio / 32768 - wave[start:end]).max() < 1 / 32768
        covered[start:end] = True
    assert covered.all()
    assert sum(end == n for _, end in places) == 1, "no window lies in the one before it"


@pytest.mark.parametrize("sr", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_a_stream_is_resampled_as_a_whole(sr):
    wave = np.random.default_rng(sr).uniform(-0.5, 0.5, 3 * sr).astype(np.float32)
    whole = wave if sr == SR else soxr.resample(wave, sr, SR, quality="HQ")
    streamed = np.concatenate(list(resampled(blocks_of(wave, 1711), sr, "HQ")))
    assert len(streamed) == len(whole) and np.abs(streamed - whole).max() < 1e-6


def test_a_file_in_windows_is_the_file(tmp_path):
    wave = 0.5 * np.sin(np.arange(5 * 44_100) / 20)
    soundfile.write(tmp_path / "a.flac", np.stack([wave, 0 * wave], 1), 44_100)
    whole = of_file(tmp_path / "a.flac", "HQ")
    found = list(windows_of_file(tmp_path / "a.flac", Windows(2, 2), "HQ"))
    assert [one.start for one in found] == pytest.approx([0, 2, 3], abs=1e-3) and found[-1].end == pytest.approx(5, abs=1e-3)
    joined = np.concatenate([found[0].audio, found[1].audio, found[2].audio[-(len(whole.audio) - 4 * SR) :]])
    assert np.abs(joined.astype(int) - whole.audio).max() <= 1


def test_memory_does_not_grow_with_a_recording():
    """Ten hours in blocks of a second."""
    block = np.full(SR, 0.1, np.float32)
    tracemalloc.start()
    count = sum(1 for _ in cut((block for _ in range(36_000)), Windows(3, 3)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 12_000 and peak < 5e6


def test_raw_pcm(tmp_path):
    samples = np.arange(-8000, 8000, dtype="<i2")
    stream = io.BytesIO(samples.tobytes() + b"\x01")  # half a sample too many
    (found,) = windows_of_pcm(stream, SR, Windows(1, 1), "HQ")
    np.testing.assert_array_equal(found.audio, samples)


@pytest.mark.parametrize(("kind", "zero", "top"), [("int16", 0, 32767), ("int32", 0, 2**31 - 1), ("uint8", 128, 255), ("float64", 0, 1)])
def test_samples_of_any_type_have_full_scale_1(kind, zero, top):
    found = as_float(np.array([zero, top], kind))
    assert found.dtype == np.float32 and found[0] == 0 and found[1] == pytest.approx(1, abs=0.01)


def test_channels_are_mixed():
    wave = np.full((1000, 2), [0.5, 0.1])
    np.testing.assert_allclose(of_array(wave, SR, "HQ").audio / 32768, 0.3, atol=1e-4)


@pytest.mark.parametrize(
    ("y", "sr", "said"),
    [
        (np.zeros(0), SR, "no sound; expected samples of shape"),
        (np.zeros((2, 2, 2)), SR, "no sound"),
        (np.zeros(9), 0, "no sound"),
        (np.array([0.0, np.nan]), SR, "not numbers"),
        (np.zeros(1), 999_999, "too short to resample"),
        (np.zeros((2, 48_000)), SR, r"found shape \(2, 48000\); transpose them"),
    ],
)
def test_what_is_no_sound_is_one_line(y, sr, said):
    with pytest.raises(FinserError, match=said):
        of_array(y, sr, "HQ")


@pytest.mark.parametrize(("length", "hop"), [(0, 0), (1, 0), (1, 2), (-1, -1), (1e-5, 1e-5), (np.inf, 1), (np.nan, np.nan)])
def test_windows_have_a_length_and_no_gaps(length, hop):
    with pytest.raises(FinserError, match="expected 0.01 <= hop <= window <= 600, in seconds"):
        Windows(length, hop)


def test_folders_and_empty_files_are_said(tmp_path):
    (tmp_path / "empty.wav").touch()
    for path, said in (
        (tmp_path, "is a folder, not a recording"),
        (tmp_path / "empty.wav", "is empty"),
        (tmp_path / "x", "no such file or folder"),
    ):
        for read in (lambda path: of_file(path, "HQ"), lambda path: list(windows_of_file(path, Windows(1, 1), "HQ"))):
            with pytest.raises(FinserError, match=said):
                read(path)


def test_damaged_recordings_are_one_line(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF\xff\xff\xff\x7fWAVEfmt ")  # a header that promises 2 GB
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), SR, subtype="FLOAT")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), SR)
    (tmp_path / "x.raw").write_bytes(bytes(99))
    for name, said in (
        ("empty.wav", "holds no sample"),
        ("x.raw", "not readable as audio"),
        ("a.wav", "not readable as audio"),
        ("nan.wav", "not numbers"),
        ("none.wav", "no such file"),
    ):
        with pytest.raises(FinserError, match=f"{name}: .*{said}"):
            list(windows_of_file(tmp_path / name, Windows(1, 1), "HQ"))


def test_a_clip_of_more_than_ten_minutes_is_refused_and_its_windows_are_not(tmp_path):
    path = tmp_path / "long.flac"
    soundfile.write(path, np.zeros(8000 * 601, np.int16), 8000)
    with pytest.raises(
        FinserError, match="long.flac: too long for one clip; expected at most 600 s; found 601 s; cut it into windows: --window 3"
    ):
        of_file(path, "HQ")
    with pytest.raises(FinserError, match="samples: too long for one clip"):
        of_array(np.zeros(8000 * 601, np.int16), 8000, "HQ")
    assert len(list(windows_of_file(path, Windows(100, 100), "HQ"))) == 7
