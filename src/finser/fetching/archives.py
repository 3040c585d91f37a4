"""Extraction of zip and tar archives from untrusted sources.

Python's ``zipfile`` and ``tarfile`` read the archives; their ``extractall`` is not used. ``tarfile.data_filter`` refuses devices and links
that leave the folder, but accepts links inside it. ``zipfile`` silently renames unsafe members. Neither limits the unpacked size, refuses
two members of one name, or checks all members before it writes the first.
"""

import errno
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO

from finser.errors import FinserError
from finser.files import check_room, disk_is_full, why

# Audio compresses to about a half, silence to a hundredth and less, so that small archives get a floor.
RATIO = 20
FLOOR = 100 * 2**20  # bytes

ADVICE = {
    errno.ENAMETOOLONG: "names in it are longer than this disk allows: unpack it elsewhere, and use `finser preset local PATH`",
    errno.EEXIST: "it holds a file and a folder of one name: unpack it by hand, and use `finser preset local PATH`",
    errno.ENOTDIR: "it holds a file and a folder of one name: unpack it by hand, and use `finser preset local PATH`",
    errno.EISDIR: "it holds a file and a folder of one name: unpack it by hand, and use `finser preset local PATH`",
    errno.ENOENT: "the archive is gone: get it again",
    errno.EIO: "the disk may be failing: copy it to another",
}

_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, NotImplementedError, ValueError)


@dataclass(frozen=True)
class _Member:
    """A file in an archive: its name, its size in bytes, and a function that opens it."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, limit: int | None = None) -> None:
    """Unpack the files of a zip or tar (.gz, .bz2, .xz) archive into `folder`.

    A member that would leave the folder, a link, a device, an encrypted member and a repeated name are refused before anything is written.

    Parameters
    ----------
    archive : Path
        Recognised by its content, not its name.
    folder : Path
        Created if it does not exist.
    limit : int, optional
        Maximum unpacked size in bytes; default the larger of 20 times the archive and 100 MiB.

    Raises
    ------
    FinserError
        The file is no archive, is damaged or unsafe, or unpacks to more than `limit`.
    """
    limit = max(RATIO * archive.stat().st_size, FLOOR) if limit is None else limit
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                _extract(_zip_members(opened, archive), folder, limit, archive)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened:
                _extract(_tar_members(opened, archive), folder, limit, archive)
        else:
            raise FinserError("neither a zip nor a tar archive", where=archive)
    except OSError as error:
        if disk_is_full(error):
            raise
        raise _of_system(error, archive) if error.errno else _damaged(error, archive) from None  # gzip's and bz2's have no number
    except _BROKEN as error:
        raise _damaged(error, archive) from None


def _damaged(error: Exception, archive: Path) -> FinserError:
    return FinserError(f"cannot be unpacked ({why(error)})", where=archive, do="it may be damaged: get it again")


def _of_system(error: OSError, archive: Path) -> FinserError:
    """Return the error for a failure of the system, which is no damage of the archive: a name that is too long, for example."""
    at = f": {error.filename}" if error.filename else ""
    return FinserError(f"cannot be unpacked ({why(error)}{at})", where=archive, do=ADVICE.get(error.errno, "correct this and run again"))


def _extract(members: Iterator[_Member], folder: Path, limit: int, archive: Path) -> None:
    checked = _checked(members, limit, archive)
    check_room(folder, sum(member.size for member in checked))
    for member in checked:
        target = folder / member.name
        target.parent.mkdir(parents=True, exist_ok=True)
        # "x": never overwrite, and never follow a link
        with member.open() as source, target.open("xb") as written:
            shutil.copyfileobj(source, written)


def _checked(members: Iterator[_Member], limit: int, archive: Path) -> list[_Member]:
    """Return all members, after checking that each is safe and that all together are within the limit."""
    checked, names, total = [], set(), 0
    for member in members:
        total += member.size
        if total > limit:
            raise FinserError("unpacks to far more than it should", where=archive, expected=f"at most {limit} bytes")
        if os.path.normcase(member.name) in names:
            raise FinserError(f"holds '{member.name}' twice", where=archive)
        names.add(os.path.normcase(member.name))
        checked.append(member)
    return checked


def _zip_members(opened: zipfile.ZipFile, archive: Path) -> Iterator[_Member]:
    for item in opened.infolist():
        kind = stat.S_IFMT(item.external_attr >> 16)
        _refuse_unless(kind in (0, stat.S_IFREG, stat.S_IFDIR), "a link or device", item.filename, archive)
        _refuse_unless(not item.flag_bits & 1, "encrypted", item.filename, archive)
        _refuse_unless(_stays_inside(item.filename), "a path that leaves the folder", item.filename, archive)
        if not item.is_dir():
            yield _Member(item.filename, item.file_size, lambda item=item: opened.open(item))


def _tar_members(opened: tarfile.TarFile, archive: Path) -> Iterator[_Member]:
    for item in opened:
        _refuse_unless((item.isreg() and not item.issparse()) or item.isdir(), "a link or device", item.name, archive)
        _refuse_unless(_stays_inside(item.name), "a path that leaves the folder", item.name, archive)
        if item.isreg():
            yield _Member(item.name, item.size, lambda item=item: opened.extractfile(item))


def _stays_inside(name: str) -> bool:
    """Return whether a member's name is a plain path below the folder on every system: no root, drive, backslash or ``..``."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and not set(name) & set("\\:\0")


def _refuse_unless(good: bool, what: str, name: str, archive: Path) -> None:
    if not good:
        raise FinserError(f"unsafe archive: '{name}' is {what}", where=archive)
