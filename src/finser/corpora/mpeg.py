"""Check that an MP3 file holds as much audio as libsndfile reads: its own length is an estimate if the file does not state one.

An MP3 file is a row of frames, each with a header (ISO 11172-3, 13818-3). Counting them gives the length of the audio. A first frame
without audio may state their number (Xing, Info or VBRI), which libsndfile believes even if the file is cut.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

import soundfile

from finser.errors import FinserError

VERSIONS = {0: 2.5, 2: 2.0, 3: 1.0}
RATES = (44_100, 48_000, 32_000)  # Hz, of version 1; version 2 has half of them, version 2.5 a quarter
BITRATES = {  # kbit/s, by version 1 or later ones, and layer
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
STATES_LENGTH = (b"Xing", b"Info", b"VBRI")
SLACK = 4  # frames by which the two lengths may differ: a decoder drops the delay and the padding of the encoder
CONVERT = "convert it, for example: ffmpeg -i OLD.mp3 NEW.flac"


def check(path: Path, where: object) -> None:
    """Raise an error if libsndfile reads less or more of an MP3 file than it holds; files of other formats are accepted."""
    try:
        with soundfile.SoundFile(path) as file:
            kind, rate, seen = file.format, file.samplerate, file.frames
    except soundfile.SoundFileError:
        return  # reading it says why
    if kind != "MP3":
        return
    frames = list(frames_of(path))
    held, slack = sum(frames), SLACK * max(frames, default=1152)
    if seen > held + slack:
        expected, found = f"{seen / rate:.2f} s, as the file states", f"{held / rate:.2f} s"
        raise FinserError("truncated audio", where=where, expected=expected, found=found, do="copy or download it again")
    if seen < held - slack:
        what = "the file does not state its length, and libsndfile would read a part of it"
        raise FinserError(what, where=where, expected=f"{held / rate:.2f} s", found=f"{seen / rate:.2f} s", do=CONVERT)


def frames_of(path: Path) -> Iterator[int]:
    """Yield the number of samples per channel of every whole frame with audio."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place, first = _after_tags(data), True
        while 0 <= place <= len(data) - 4:
            length, samples = _frame(data[place : place + 4])
            if not length or not _is_followed(data, place + length):
                place = data.find(b"\xff", place + 1)
                continue
            if place + length > len(data):
                return
            if not (first and any(mark in data[place : place + 64] for mark in STATES_LENGTH)):
                yield samples
            place, first = place + length, False


def _after_tags(data: mmap.mmap) -> int:
    """Return the place after the ID3v2 tags at the beginning of a file."""
    place = 0
    while data[place : place + 3] == b"ID3" and place + 10 <= len(data):
        size = 0
        for byte in data[place + 6 : place + 10]:  # seven bits each
            size = size << 7 | byte & 0x7F
        place += 10 + size + (10 if data[place + 5] & 0x10 else 0)
    return place


def _is_followed(data: mmap.mmap, place: int) -> bool:
    """Return whether a frame, a tag or the end of the file is at a place: otherwise the frame before it is none."""
    rest = data[place : place + 4]
    return place >= len(data) - 4 or rest[:3] in (b"TAG", b"ID3", b"APE", b"LYR") or not any(rest) or bool(_frame(rest)[0])


def _frame(header: bytes) -> tuple[int, int]:
    """Return the length in bytes and the samples per channel of the frame with a header of four bytes; (0, 0) if it is none."""
    word = int.from_bytes(header)
    version, layer = VERSIONS.get(word >> 19 & 3), 4 - (word >> 17 & 3)
    bitrate, rate, padding = word >> 12 & 15, word >> 10 & 3, word >> 9 & 1
    if word >> 21 != 0x7FF or version is None or layer == 4 or bitrate in (0, 15) or rate == 3:
        return 0, 0
    hertz = RATES[rate] / {1.0: 1, 2.0: 2, 2.5: 4}[version]
    bits = 1000 * BITRATES[1 if version == 1.0 else 2, layer][bitrate - 1]
    if layer == 1:
        return (int(12 * bits / hertz) + padding) * 4, 384
    samples = 1152 if layer == 2 or version == 1.0 else 576
    return int(samples / 8 * bits / hertz) + padding, samples
