"""Publishers' own downloads, verified by checksum before anything is used.

What has come is kept in data/downloads/CORPUS, so that an interrupted stage goes on where it stopped, and one that runs again
downloads nothing again. ``file://`` addresses work, too; what they name stays where it is.
"""

import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from threading import Lock
from urllib.parse import unquote, urlsplit

from finser import layout
from finser.config.params import Params
from finser.config.sections.fetch import Download
from finser.corpora import complete, crema_d, local, registry
from finser.corpora.utterance import Corpus
from finser.errors import FinserError
from finser.fetching import archives, http
from finser.files import check_room, checksum, disk_is_full, why
from finser.progress import meter, say, track

RAVDESS = "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip"
RAVDESS_CHECKSUM = "md5:bc696df654c87fed845eb13823edef8a"
RAVDESS_UNPACKED = 590_349_330  # bytes of the 1,440 files
CREMA_D = (
    "https://media.githubusercontent.com/media/CheyneyComputerScience/CREMA-D/master/AudioWAV",
    "https://gitlab.com/cs-cooper-lab/crema-d-mirror/-/raw/HEAD/AudioWAV",  # the authors' mirror: the first's quota is often used up
)
TESS = "https://borealisdata.ca"
TESS_RECORD = "doi:10.5683/SP2/E8H2MF"
TESS_VERSION = "1.0"  # of the data set, which is cited as V1; a later one may have other files
ADDRESSES = {"ravdess": RAVDESS, "crema_d": CREMA_D[0], "tess": TESS}

CONNECTIONS = 8  # at once: publishers' servers limit their clients


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
        Bytes, where they are known.
    """

    name: str
    path: str
    checksum: str
    size: int | None = None


class Bases:
    """Base addresses in order of preference, shared by all threads: when one fails for good, all go on from the next."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._left = list(addresses)
        self._lock = Lock()

    def first(self) -> str:
        """The address to ask."""
        return self._left[0]

    def leave(self, base: str, error: FinserError) -> None:
        """Go on from the next address; `error` is raised if there is none."""
        with self._lock:
            if self._left[0] != base:  # another thread was faster
                return
            if len(self._left) == 1:
                raise error
            say(f"{error}; going on from {self._left[1]}")
            self._left.pop(0)


def download(params: Params, corpus: str, folder: Path, patience: http.Patience | None = None) -> dict:
    """Download a corpus into `folder`: the archive at ``fetch.CORPUS.address``, or else what its publisher offers.

    Returns
    -------
    dict
        What was verified, for SOURCE.json: `address`, and `checksum` of the archive or `files`, the checksum of every file; for TESS
        also `version`, that of the data set.

    Raises
    ------
    FinserError
        The publisher offers no open download, the server fails, a checksum is wrong, or clips are missing. What has come and is
        right stays in data/downloads/CORPUS for the next run.
    """
    source, known = params.fetch[corpus], registry.get(corpus)
    if not address_of(source, corpus):
        preset = params.preset if params.preset in ("local", "paper") else "local"
        do = f"{known.how_to_get}; then `finser preset {preset} PATH`"
        raise FinserError(f"{known.title} has no open download", where=corpus, do=do)
    say(f"{known.title}: licence {known.licence}; {known.home}; whoever downloads it accepts this licence")
    store = layout.downloads(corpus)
    store.mkdir(parents=True, exist_ok=True)
    patience = patience or http.Patience()
    with http.client(patience) as client:
        verified = _bring(http.Link(client, patience), source, corpus, store, folder)
    local.survey(folder, corpus)
    complete.check(map(known.parse, local.audio_files(folder)), source, known, address_of(source, corpus))
    return {"address": address_of(source, corpus), **verified}


def _bring(link: http.Link, source: Download, corpus: str, store: Path, folder: Path) -> dict:
    """Download a corpus from where it is, and say what it was verified by."""
    if source.address:
        archive(link, source.address, source.checksum, store, folder)
        return {"checksum": source.checksum}
    if corpus == "ravdess":
        archive(link, RAVDESS, RAVDESS_CHECKSUM, store, folder, registry.get(corpus).size, RAVDESS_UNPACKED)
        return {"checksum": RAVDESS_CHECKSUM}
    bases, files = ((TESS,), tess_files(link, TESS, store, source)) if corpus == "tess" else (CREMA_D, crema_d_files())
    singly(link, bases, files, store, folder)
    version = {"record": TESS_RECORD, "version": TESS_VERSION} if corpus == "tess" else {}
    return {**version, "files": {file.name: file.checksum for file in sorted(files, key=lambda file: file.name)}}


def address_of(source: Download, corpus: str) -> str | None:
    """The address that a corpus is downloaded from; None if there is none."""
    return source.address or ADDRESSES.get(corpus)


def archive(link: http.Link, address: str, expected: str, store: Path, folder: Path, size: int | None = None, unpacked: int = 0) -> None:
    """Download an archive to `store`, verify it, and unpack it into `folder`.

    Parameters
    ----------
    link : Link
        The connection.
    address : str
        http, https or file; a file is verified and unpacked where it lies.
    expected : str
        ``md5:...`` or ``sha256:...``.
    store, folder : Path
        Where the archive is kept, and where its content goes.
    size, unpacked : int, optional
        Bytes of the archive and of its content, where they are known: the disk must have room for both.
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
        what = local.impostor(path)
        what = f"{what} in place of the file" if what else f"wrong {algorithm}"
        raise FinserError(what, where=address, expected=digest, found=found, do="it was not used")


def singly(link: http.Link, bases: Sequence[str], files: Sequence[File], store: Path, folder: Path) -> None:
    """Download `files` one by one to `store`, and once all are there, put them into `folder`."""
    fetch_all(link, bases, files, store)
    folder.mkdir(parents=True, exist_ok=True)
    if store.stat().st_dev != folder.stat().st_dev:  # then what follows copies
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
    """Download those of the `files` that are not in `store` yet, several at once; see :func:`finser.fetching.http.save`.

    Parameters
    ----------
    link : Link
        Shared by all connections.
    bases : sequence of str
        Base addresses, the preferred first.
    files : sequence of File
        What to get.
    store : Path
        Where to put it, each under its name.
    more : int, optional
        Bytes that the disk must have room for besides.
    """
    missing = [file for file in track(files, f"verifying what is in {store}") if not _is_there(store, file)]
    if len(missing) < len(files):
        say(f"{len(files) - len(missing)} of {len(files)} files are in {store} already, and verified")
    if not missing:
        return
    parts = sum(http.come(store / file.name) for file in missing)
    total = None if any(file.size is None for file in missing) else sum(file.size for file in missing)
    check_room(store, max((total or 0) - parts, 0) + more)
    with meter(f"downloading {store.name}", total, parts) as came:
        _at_once(replace(link, came=came), Bases(bases), missing, store)


def _is_there(store: Path, file: File) -> bool:
    """Whether an earlier run has downloaded a file; a power cut may have spoilt it."""
    path, (algorithm, _, digest) = store / file.name, file.checksum.partition(":")
    if path.exists() and checksum(path, algorithm) != digest:
        path.unlink()
    return path.exists()


def _at_once(link: http.Link, bases: Bases, files: Sequence[File], store: Path) -> None:
    """Download all `files`; the first that fails for good ends the others."""
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
            link.came(-http.come(target))
            http.discard(target)  # the next server may have another version


def crema_d_files() -> list[File]:
    """Every file of CREMA-D."""
    return [File(f"AudioWAV/{name}", name, digest, size) for name, (digest, size) in crema_d.files().items()]


def tess_files(link: http.Link, server: str, store: Path, source: Download) -> list[File]:
    """Every wav that a Dataverse `server` lists for TESS, version 1.0, sorted into folders by speaker and emotion.

    Raises
    ------
    FinserError
        It sends no such list, one of another version, or one that lacks clips while ``source.allow_partial`` is not set.
    """
    known = registry.get("tess")
    address = f"{server}/api/datasets/:persistentId/versions/{TESS_VERSION}?persistentId={TESS_RECORD}"
    files = [
        File(_tess_name(known, entry["filename"]), f"api/access/datafile/{entry['id']}", f"md5:{entry['md5']}", entry["size"])
        for entry in _listed(link, address, store)
    ]
    complete.check([known.parse(PurePosixPath(file.name)) for file in files], source, known, address)
    return files


def _tess_name(known: Corpus, name: str) -> str:
    """Folder and name of a listed file: the folder is its clip's, the name the publisher's."""
    return f"{PurePosixPath(known.parse(PurePosixPath(name)).clip_id).parent.name}/{name}"


def _listed(link: http.Link, address: str, store: Path) -> list[dict]:
    """What a Dataverse list says of every wav: filename, id, md5, and size (None where it has none)."""
    listing = store / "listing.json"
    listing.unlink(missing_ok=True)
    http.discard(listing)  # it may have changed
    http.save(link, address, listing)
    try:
        data = json.loads(listing.read_bytes())["data"]
        version = f"{data['versionNumber']}.{data['versionMinorNumber']}"
        entries = [item["dataFile"] for item in data["files"]]
        wavs = [_entry(entry) for entry in entries if entry["filename"].lower().endswith(".wav")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FinserError(f"not the list of files that was expected ({error!r})", where=address) from None
    if version != TESS_VERSION:
        raise FinserError("another version of the data set", where=address, expected=TESS_VERSION, found=version)
    unsafe = [entry["filename"] for entry in wavs if set(entry["filename"]) & set("/\\\0")]
    if unsafe:
        raise FinserError("unsafe file name in the list", where=address, found=f"'{unsafe[0]}'")
    return wavs


def _entry(entry: dict) -> dict:
    """The few things wanted of an entry; an error if one is not there."""
    size = entry.get("filesize")
    return {
        "filename": str(entry["filename"]),
        "id": int(entry["id"]),
        "md5": str(entry["md5"]),
        "size": size if size is None else int(size),
    }
