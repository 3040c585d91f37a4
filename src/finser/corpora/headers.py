"""Check that a file holds as much audio as its header states: neither less (a truncated copy) nor, in wav and AIFF, more.

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

    AU, CAF and W64 files must not hold less, and Ogg files must have the page that ends a stream. For MP3 see :mod:`finser.corpora.mpeg`.
    libsndfile itself reports a truncated FLAC file.

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
        head = file.read(4)
        if head == OGG or head in OTHERS:
            _check_other(file, head, size, where)
        order = ORDER.get(head, "")
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
        raise _truncated(f"{length} bytes of samples", there, where)
    # some programs leave out the byte that makes an odd length even
    rest = 0 if length > there else min(_unexplained(file, order, at, size) for at in {end, end + end % 2})
    if length > there or (rest and not length):
        raise _streamed(where)
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


def _truncated(expected: str, found: int | None, where: object) -> FinserError:
    return FinserError("truncated audio", where=where, expected=expected, found=found, do="copy or download it again")


def _streamed(where: object) -> FinserError:
    what = "the header does not say how long the audio is, so that a truncated copy would not be seen"
    return FinserError(what, where=where, do=f"a program streamed it: {REWRITE}")


def _check_other(file: IO[bytes], head: bytes, size: int, where: object) -> None:
    """Check an Ogg file, or one of a format of :data:`OTHERS`."""
    if head == OGG:
        if not _ends_a_stream(file, size):
            raise _truncated("an Ogg page that ends the stream", None, where)
        return
    found = OTHERS[head](file, size)
    if found is None:
        raise _truncated("a chunk of samples", None, where)
    start, length = found
    if length is None:
        raise _streamed(where)
    if start + length > size:
        raise _truncated(f"{length} bytes of samples", size - start, where)


def _ends_a_stream(file: IO[bytes], size: int) -> bool:
    """Return whether the last Ogg page is whole and marked as the last of its stream (RFC 3533)."""
    file.seek(max(size - 2**17, 0))  # a page has at most 65,307 bytes
    tail = file.read()
    page = tail[max(tail.rfind(OGG), 0) :]
    whole = len(page) >= 27 and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
    return whole and bool(page[5] & 4)


def _of_au(file: IO[bytes], size: int) -> tuple[int, int | None] | None:
    """Return first byte and length of the samples of an AU file; the length is None if the header states none."""
    start, length = struct.unpack(">II", file.read(8).ljust(8, b"\xff"))
    return start, None if length == IN_DS64 else length


def _of_caf(file: IO[bytes], size: int) -> tuple[int, int | None] | None:
    """The same of an Apple CAF file, where -1 is the length up to the end of the file; None: it has no chunk of samples."""
    found = _data_chunk(file, size, 8, ">4sq")
    return found and (found[0], None if found[1] < 0 else found[1])


def _of_w64(file: IO[bytes], size: int) -> tuple[int, int | None] | None:
    """The same of a Sony Wave64 file, whose lengths include the head of a chunk; chunks start at multiples of 8."""
    return _data_chunk(file, size, 40, "<4s12xQ", included=24, step=8)


def _data_chunk(file: IO[bytes], size: int, place: int, head: str, included: int = 0, step: int = 1) -> tuple[int, int] | None:
    """Return first byte and length of the chunk ``data``; None if there is none.

    Parameters
    ----------
    place : int
        First byte of the first chunk.
    head : str
        Name and length of a chunk, for :mod:`struct`.
    included : int
        Bytes of the head that the length counts.
    step : int
        Chunks start at multiples of it.
    """
    width = struct.calcsize(head)
    while place + width <= size:
        file.seek(place)
        name, length = struct.unpack(head, file.read(width))
        if name == b"data":
            return place + width, length - included
        place += width + max(-(-(length - included) // step) * step, 0)  # a damaged length must not lead backwards
    return None


OGG = b"OggS"
OTHERS = {b".snd": _of_au, b"caff": _of_caf, b"riff": _of_w64}  # first bytes of a file: its samples
