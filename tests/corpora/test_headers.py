"""Wav and AIFF files as other programs write and break them, built byte by byte: each is read as it is, or refused in one line."""

import struct

import numpy as np
import pytest
import soundfile

from finser.audio.resample import decode
from finser.corpora import sounds
from finser.errors import FinserError

N = 1000
PCM = np.random.default_rng(0).integers(-20_000, 20_000, N).astype("<i2").tobytes()
MAX = 0xFFFFFFFF


def chunk(name: bytes, body: bytes, length: int | None = None, pad: bool = True, order: str = "<") -> bytes:
    return name + struct.pack(f"{order}I", len(body) if length is None else length) + body + bytes(len(body) % 2 if pad else 0)


def fmt(channels: int = 1, bits: int = 16, tag: int = 1, sr: int = 22_050, order: str = "<") -> bytes:
    width = channels * bits // 8
    return chunk(b"fmt ", struct.pack(f"{order}HHIIHH", tag, channels, sr, sr * width, width, bits), order=order)


def riff(*chunks: bytes, size: int | None = None, kind: bytes = b"RIFF", order: str = "<") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return kind + struct.pack(f"{order}I", len(body) if size is None else size) + body


def rf64(samples: bytes, promised: int | None = None, kind: bytes = b"RF64") -> bytes:
    promised = len(samples) if promised is None else promised
    ds64 = chunk(b"ds64", struct.pack("<QQQI", promised + 72, promised, promised // 2, 0))
    return riff(ds64, fmt(), chunk(b"data", samples, MAX), size=MAX, kind=kind)


def aiff(samples: bytes, promised: int | None = None) -> bytes:
    comm = chunk(b"COMM", struct.pack(">hIh", 1, N, 16) + b"\x40\x0d\xac\x44" + bytes(6), order=">")
    body = bytes(8) + samples
    inside = b"AIFF" + comm + chunk(b"SSND", body, None if promised is None else promised + 8, order=">")
    return b"FORM" + struct.pack(">I", len(inside)) + inside


WHOLE = riff(fmt(), chunk(b"data", PCM))
BIG_LIST = chunk(b"LIST", b"INFO" + bytes(200_000))
UNSAID, MORE, CUT = "does not say how long the audio is.*ffmpeg", "holds more audio than its header states.*ffmpeg", "truncated audio"
GOOD = {
    "plain": WHOLE,
    "RIFF size 0": riff(fmt(), chunk(b"data", PCM), size=0),
    "RIFF size of a stream": riff(fmt(), chunk(b"data", PCM), size=MAX),
    "three trailing bytes": WHOLE + b"abc",
    "trailing zeros": WHOLE + bytes(512),
    "ID3v1 after it": WHOLE + b"TAG" + b"x" * 125,
    "ID3v2 after it": WHOLE + b"ID3\x04\0\0\0\0\0\x0a" + b"y" * 10,
    "id3 chunk": riff(fmt(), chunk(b"data", PCM), chunk(b"id3 ", b"ID3" + b"y" * 20)),
    "bext before it": riff(chunk(b"bext", bytes(602)), fmt(), chunk(b"data", PCM)),
    "LIST of 200 kB before it": riff(fmt(), BIG_LIST, chunk(b"data", PCM)),
    "LIST of 200 kB after it": riff(fmt(), chunk(b"data", PCM), BIG_LIST),
    "LIST cut off": WHOLE + BIG_LIST[:5000],
    "odd chunk before it": riff(fmt(), chunk(b"note", b"abc"), chunk(b"data", PCM)),
    "RF64": rf64(PCM),
    "RIFX": riff(fmt(order=">"), chunk(b"data", np.frombuffer(PCM, "<i2").astype(">i2").tobytes(), order=">"), kind=b"RIFX", order=">"),
    "AIFF": aiff(np.frombuffer(PCM, "<i2").astype(">i2").tobytes()),
    "AIFF, trailing zero": aiff(np.frombuffer(PCM, "<i2").astype(">i2").tobytes()) + b"\0",
}
BAD = {
    "streamed by ffmpeg": (riff(fmt(), chunk(b"data", PCM, MAX), size=MAX), UNSAID),
    "streamed by SoX": (riff(fmt(), chunk(b"data", PCM, 0x7FFFF000), size=0x7FFFF024), UNSAID),
    "streamed, size 0": (riff(fmt(), chunk(b"data", PCM, 0), size=0), UNSAID),
    "RF64 streamed": (rf64(PCM, 0), UNSAID),
    "RF64 without ds64": (riff(fmt(), chunk(b"data", PCM, MAX), kind=b"RF64"), UNSAID),
    "RF64 truncated": (rf64(PCM[:1500], len(PCM)), CUT),
    "BW64": (rf64(PCM, kind=b"BW64"), "not readable as audio"),  # libsndfile knows RF64 alone
    "BW64 truncated": (rf64(PCM[:1500], len(PCM), b"BW64"), CUT),
    "RIFX truncated": (riff(fmt(order=">"), chunk(b"data", PCM[:900], 2000, order=">"), kind=b"RIFX", order=">"), CUT),
    "AIFF truncated": (aiff(PCM[:900], 2000), CUT),
    "one byte short": (WHOLE[:-1], CUT),
    "half of it": (WHOLE[:1000], CUT),
    "header only": (WHOLE[:44], CUT),
    "says half": (riff(fmt(), chunk(b"data", PCM[:1000]) + PCM[1000:]), MORE),
    "says half, RIFF size, too": (riff(fmt(), chunk(b"data", PCM[:1000])) + PCM[1000:], MORE),
    "says one sample less than 8 bytes more": (riff(fmt(), chunk(b"data", PCM[:-10])) + PCM[-10:], MORE),
    "RF64 says half": (rf64(PCM, 1000), MORE),
    "two data chunks": (riff(fmt(), chunk(b"data", PCM[:1000]), chunk(b"data", PCM[1000:])), MORE),
    "odd chunk without padding": (riff(fmt(), chunk(b"note", b"abc", pad=False), chunk(b"data", PCM)), "truncated|not readable"),
    "no samples": (riff(fmt(), chunk(b"data", b"")), CUT),
}


@pytest.mark.parametrize("name", GOOD)
def test_whole_files_are_read(tmp_path, name):
    path = tmp_path / "a.wav"
    path.write_bytes(GOOD[name])
    assert sounds.measure(path).n_samples == N
    assert np.array_equal(decode(path)[0] * 32_768, np.frombuffer(PCM, "<i2"))


@pytest.mark.parametrize("name", BAD)
def test_broken_files_are_refused_in_one_line(tmp_path, name):
    path = tmp_path / "a.wav"
    path.write_bytes(BAD[name][0])
    with pytest.raises(FinserError, match=rf"^/corpus/a.wav: .*({BAD[name][1]})"):
        sounds.measure(path, "/corpus/a.wav")


@pytest.mark.parametrize("subtype", sorted(soundfile.available_subtypes("WAV")))
@pytest.mark.parametrize("n", [1, 2, 4_000, 4_001])
def test_every_encoding_in_wav(tmp_path, subtype, n):
    """GSM and ADPCM come in blocks: a file is as long as libsndfile wrote it, or refused; half of it is refused."""
    path, y = tmp_path / "a.wav", 0.5 * np.sin(np.arange(n) / 10 + 1)
    try:
        soundfile.write(path, y, 8_000, subtype=subtype)
    except soundfile.LibsndfileError as error:
        pytest.skip(f"libsndfile does not write it: {error}")
    found = sounds.measure(path)
    assert n <= found.n_samples <= n + 4_100
    assert len(decode(path)[0]) == found.n_samples
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - max(2, len(whole) // 2)])
    with pytest.raises(FinserError, match=r"a.wav: (truncated audio|not readable)"):
        sounds.measure(path)


@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAVEX", "PCM_24"), ("W64", "PCM_16"), ("CAF", "PCM_16"), ("AU", "PCM_16"), ("FLAC", "PCM_16")]
)
def test_other_containers_under_wav(tmp_path, kind, subtype):
    path, y = tmp_path / "a.wav", np.frombuffer(PCM, "<i2") / 32_768
    soundfile.write(path, y, 22_050, format=kind, subtype="PCM_16")
    assert sounds.measure(path).n_samples == N


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.ogg", {"format": "OGG", "subtype": "VORBIS"}),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
        ("a.au", {"format": "AU", "subtype": "PCM_16"}),
        ("a.caf", {"format": "CAF", "subtype": "PCM_16"}),
        ("a.w64", {"format": "W64", "subtype": "PCM_24"}),
        ("a.rf64", {"format": "RF64", "subtype": "PCM_16"}),
        ("a.flac", {"format": "FLAC", "subtype": "PCM_16"}),
        ("a.aiff", {"format": "AIFF", "subtype": "PCM_16"}),
    ],
)
@pytest.mark.parametrize("lost", [3, 0.5])
def test_a_cut_file_of_any_format_is_refused(tmp_path, name, options, lost):
    path = tmp_path / name
    soundfile.write(path, 0.3 * np.random.default_rng(0).standard_normal(48_000), 48_000, **options)
    assert sounds.measure(path).seconds == 1
    whole = path.read_bytes()
    path.write_bytes(whole[: -lost if lost > 1 else int(len(whole) * lost)])
    with pytest.raises(FinserError, match="truncated audio|not readable as audio"):
        sounds.measure(path)


@pytest.mark.parametrize(("name", "kind", "at"), [("a.au", "AU", 8), ("a.caf", "CAF", 0)])
def test_other_formats_without_a_length_are_refused_as_streamed(tmp_path, name, kind, at):
    path = tmp_path / name
    soundfile.write(path, np.zeros(8000), 8000, format=kind, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    at = at or data.index(b"data") + 4
    data[at : at + (8 if kind == "CAF" else 4)] = b"\xff" * (8 if kind == "CAF" else 4)
    path.write_bytes(data)
    with pytest.raises(FinserError, match="the header does not say how long the audio is"):
        sounds.measure(path)


@pytest.mark.parametrize("length", [-12, -1, -(2**62), 2**62])
def test_a_damaged_length_of_a_caf_chunk_ends_the_search(tmp_path, length):
    path = tmp_path / "a.caf"
    path.write_bytes(b"caff\0\1\0\0" + struct.pack(">4sq", b"desc", length) + bytes(64))
    with pytest.raises(FinserError, match="truncated audio; expected a chunk of samples"):
        sounds.measure(path)
