"""Check that a wav or AIFF file holds as much audio as its header states: neither less (a truncated copy) nor more.

libsndfile reads the shorter of the header's length and the file's, and reports no error.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from finser.errors import FinserError

ORDER = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"RIFX": ">", b"FORM": ">"}  # container: byte order of the sizes of its chunks
SOUND = (b"data", b"SSND")
IN_DS64 = 0xFFFFFFFF  # RF64: the size is in the chunk ds64 (EBU Tech 3306)
STREAMED = 0x7FFFF000  # a size that the file lacks, at least this: a streaming writer's placeholder (SoX; ffmpeg writes 0xFFFFFFFF)
TAGS = (b"ID3", b"TAG", b"APE")  # tags that players append without a chunk
REWRITE = "rewrite it, for example: ffmpeg -i OLD.wav -c copy NEW.wav"
MAY_BE_CUT = (  # chunks of metadata: one of these may run past the end of the file
    b"LIST",
    b"id3 ",
    b"ID3 ",
    b"bext",
    b"iXML",
    b"_PMX",
    b"cue ",
    b"smpl",
    b"PEAK",
    b"JUNK",
    b"FLLR",
    b"PAD ",
    b"DISP",
    b"afsp",
)


def check(path: Path, where: object = None) -> None:
    """Raise an error if a wav or AIFF file holds less or more audio than its header states, or if the header states no length.

    Parameters
    ----------
    path : Path
        The file; other formats are accepted.
    where : object, optional
        Name of the file in errors; default `path`.

    Raises
    ------
    FinserError
        As above.
    """
    size, where, long = path.stat().st_size, path if where is None else where, 0
    with path.open("rb") as file:
        order = ORDER.get(file.read(4), "")
        for name, start, length in _chunks(file, order, 12, size if order else 0):
            if name == b"ds64":
                long = struct.unpack("<8xQ", file.read(16).ljust(16, b"\0"))[0]
            elif name in SOUND:
                length = long if length == IN_DS64 and long else length
                _check_samples(file, order, start, length, size, where)
                break


def _chunks(file: IO[bytes], order: str, position: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, first byte and length of every chunk from `position` on; the file is positioned at the chunk's first byte."""
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        yield name, position + 8, length
        position += 8 + length + length % 2  # chunks start at even positions


def _check_samples(file: IO[bytes], order: str, start: int, length: int, size: int, where: object) -> None:
    """Compare the header's `length` with a file of `size` bytes, whose samples start at `start`."""
    there, end = size - start, start + length
    if STREAMED > length > there:
        do = "copy or download it again"
        raise FinserError("truncated audio", where=where, expected=f"{length} bytes of samples", found=there, do=do)
    # some programs leave out the byte that makes an odd length even
    rest = 0 if length > there else min(_unexplained(file, order, at, size) for at in {end, end + end % 2})
    if length > there or (rest and not length):
        what = "the header does not say how long the audio is, so that a truncated copy would not be seen"
        raise FinserError(what, where=where, do=f"a program streamed it: {REWRITE}")
    if rest:
        what = "the file holds more audio than its header states"
        raise FinserError(what, where=where, expected=f"{length} bytes of samples", found=f"{rest} more bytes", do=REWRITE)


def _unexplained(file: IO[bytes], order: str, position: int, size: int) -> int:
    """Return the number of bytes from `position` to the end that are no chunk, no tag and no padding."""
    for name, start, length in _chunks(file, order, position, size):
        whole = start + length <= size and name not in SOUND
        if name.startswith(TAGS) or (not whole and name in MAY_BE_CUT):
            return 0
        if not whole or not all(32 <= letter < 127 for letter in name):
            break
        position = start + length + length % 2
    file.seek(min(position, size))
    rest = size - file.tell()
    padding = rest < 8 or not any(any(block) for block in iter(lambda: file.read(2**16), b""))
    return 0 if padding else rest
