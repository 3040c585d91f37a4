"""Downloads of files and archives: several in parallel, resumed after interruptions, verified before use.

This replaces ``pooch``, which caches, verifies and unpacks, but cannot resume: over a weak connection an archive of 208 MB or weights of
350 MB might never arrive. An address may also be ``file://``; such a file is read in place. The code is independent of the corpora.
"""

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from threading import Lock
from urllib.parse import unquote, urlsplit

from finser.errors import FinserError
from finser.fetching import archives, http
from finser.files import check_room, checksum, disk_is_full, impostor, why
from finser.progress import meter, say, track

CONNECTIONS = 8  # parallel connections: publishers' servers limit their clients


@dataclass(frozen=True)
class File:
    """One file to download.

    Attributes
    ----------
    name : str
        Its path in the corpus's folder.
    path : str
        Its path below the server's base address.
    checksum : str
        ``md5:...`` or ``sha256:...``.
    size : int, optional
        Size in bytes, if known.
    """

    name: str
    path: str
    checksum: str
    size: int | None = None


class Bases:
    """Base addresses in order of preference, shared by all threads: once one fails for good, all threads use the next."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._left = list(addresses)
        self._lock = Lock()

    def first(self) -> str:
        """Return the address to use."""
        return self._left[0]

    def leave(self, base: str, error: FinserError) -> None:
        """Use the next address from now on; raise `error` if there is none."""
        with self._lock:
            if self._left[0] != base:  # another thread was faster
                return
            if len(self._left) == 1:
                raise error
            say(f"{error}; continuing with {self._left[1]}")
            self._left.pop(0)


def archive(link: http.Link, address: str, expected: str, store: Path, folder: Path, size: int | None = None, unpacked: int = 0) -> None:
    """Download an archive to `store`, verify it, and unpack it into `folder`.

    Parameters
    ----------
    link : Link
        The connection.
    address : str
        http, https or file; a local file is verified and unpacked in place.
    expected : str
        ``md5:...`` or ``sha256:...``.
    store, folder : Path
        Folders for the archive and for its content.
    size, unpacked : int, optional
        Size in bytes of the archive and of its content, if known: the disk must have space for both.
    """
    if urlsplit(address).scheme == "file":
        packed = _path_of(address)
        _verify_file(packed, expected, address)
    else:
        packed = store / (PurePosixPath(urlsplit(address).path).name or "archive")
        fetch_all(link, (address,), [File(packed.name, "", expected, size)], store, unpacked)
    archives.unpack(packed, folder)


def _path_of(address: str) -> Path:
    parts = urlsplit(address)
    if parts.netloc not in ("", "localhost"):
        raise FinserError("not the address of a file on this machine", where=address, expected="file:///absolute/path")
    return Path(unquote(parts.path))


def _verify_file(path: Path, expected: str, address: str) -> None:
    algorithm, _, digest = expected.partition(":")
    try:
        found = checksum(path, algorithm)
    except OSError as error:
        if disk_is_full(error):
            raise
        raise FinserError(f"cannot be read ({why(error)})", where=address) from None
    if found != digest:
        what = impostor(path)
        what = f"{what} in place of the file" if what else f"wrong {algorithm}"
        raise FinserError(what, where=address, expected=digest, found=found, do="it was not used")


def singly(link: http.Link, bases: Sequence[str], files: Sequence[File], store: Path, folder: Path) -> None:
    """Download `files` one by one to `store`; when all are complete, put them into `folder`."""
    fetch_all(link, bases, files, store)
    folder.mkdir(parents=True, exist_ok=True)
    if store.stat().st_dev != folder.stat().st_dev:  # files are copied, not linked
        check_room(folder, sum((store / file.name).stat().st_size for file in files))
    for file in files:
        _place(store / file.name, folder / file.name)


def _place(source: Path, target: Path) -> None:
    """Link or copy, never move: `source` is still needed if this stage is killed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)


def fetch_all(link: http.Link, bases: Sequence[str], files: Sequence[File], store: Path, more: int = 0) -> None:
    """Download the `files` that `store` lacks, several in parallel; see :func:`finser.fetching.http.save`.

    Parameters
    ----------
    link : Link
        Shared by all connections.
    bases : sequence of str
        Base addresses, the preferred first.
    files : sequence of File
        Files to download.
    store : Path
        Folder for them.
    more : int, optional
        Further bytes that the disk must have space for.
    """
    missing = [file for file in track(files, f"verifying what is in {store}") if not _is_there(store, file)]
    if len(missing) < len(files):
        say(f"{len(files) - len(missing)} of {len(files)} files are in {store} already, and verified")
    if not missing:
        return
    parts = sum(http.received(store / file.name) for file in missing)
    total = None if any(file.size is None for file in missing) else sum(file.size for file in missing)
    check_room(store, max((total or 0) - parts, 0) + more)
    with meter(f"downloading {store.name}", total, parts) as count:
        _at_once(replace(link, count=count), Bases(bases), missing, store)


def _is_there(store: Path, file: File) -> bool:
    """Return whether an earlier run downloaded a file; a file with a wrong checksum (after a power failure) is deleted."""
    path, (algorithm, _, digest) = store / file.name, file.checksum.partition(":")
    if path.exists() and checksum(path, algorithm) != digest:
        path.unlink()
    return path.exists()


def _at_once(link: http.Link, bases: Bases, files: Sequence[File], store: Path) -> None:
    """Download all `files` in parallel; the first that fails for good stops the others."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        waiting = [pool.submit(_fetch, link, bases, file, store) for file in files]
        try:
            for done in as_completed(waiting):
                done.result()
        except BaseException:
            link.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(link: http.Link, bases: Bases, file: File, store: Path) -> None:
    target = store / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    while True:
        base = bases.first()
        try:
            return http.save(link, f"{base}/{file.path}" if file.path else base, target, file.checksum, file.size)
        except FinserError as error:
            bases.leave(base, error)
            link.count(-http.received(target))
            http.discard(target)  # the next server may have another version
