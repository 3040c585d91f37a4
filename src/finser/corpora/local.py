"""A corpus that already lies in a folder: found, counted, copied."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NoReturn

from finser.corpora import complete, registry
from finser.errors import FinserError
from finser.files import check_room, disk_is_full, why
from finser.params import Local, Source
from finser.progress import track

AUDIO = (".wav",)
TEXT = (".csv", ".txt")  # speakers, votes, transcripts, licences: copied beside the audio
LFS_POINTER = b"version https://git-lfs"
HTML = rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*|<\?xml[^>]*>\s*)*<(!doctype\s+html|html|head)\b"
HEAD = 4096  # bytes: as much of a file as it takes to see that it is no audio


def find(root: Path) -> dict[str, Path]:
    """The corpora that lie under `root`: root/RAVDESS, root/CREMA-D, root/TESS, root/SAVEE, root/ESD, whichever exist.

    Raises
    ------
    FinserError
        `root` is no folder, or none of the five is there.
    """
    if not root.is_dir():
        raise FinserError("no such folder", where=root)
    found = {name: root / corpus.folder for name, corpus in registry.CORPORA.items() if (root / corpus.folder).is_dir()}
    if not found:
        folders = ", ".join(corpus.folder for corpus in registry.CORPORA.values())
        raise FinserError("no corpus here", where=root, expected=f"at least one of the folders {folders}")
    return found


def survey(path: Path, corpus: str) -> tuple[int, int]:
    """Number and total size in bytes of a corpus's audio files under `path`; every name is checked on the way.

    Raises
    ------
    FinserError
        No audio there, a name that the corpus does not have, or a Git LFS pointer in place of audio.
    """
    names = audio_files(path)
    if not names:
        raise FinserError(f"no {registry.get(corpus).title} audio here", where=path, expected="files that end in .wav")
    total = 0
    for name in names:
        registry.get(corpus).parse(name)
        total += size_of_audio(path / name)
    return len(names), total


def speakers(path: Path, corpus: str) -> set[str]:
    """Who speaks in the audio files below a folder, by their names."""
    return {registry.get(corpus).parse(name).speaker for name in audio_files(path)}


def copy(source: Local, corpus: str, folder: Path) -> None:
    """Copy a corpus's audio and text files into `folder`, keeping their layout.

    Raises
    ------
    FinserError
        The audio files are not those that ``finser preset local`` counted, or clips are missing and `allow_partial` is not set.
    """
    path = source.path.expanduser()
    found = survey(path, corpus)
    if found != (source.files, source.bytes):
        raise FinserError(
            "the folder has changed since `finser preset local`",
            where=path,
            expected=f"{source.files} audio files of {source.bytes} bytes",
            found=f"{found[0]} of {found[1]} bytes",
            do="run it again",
        )
    check_complete(path, source, corpus)
    check_room(folder, source.bytes)
    for name in track(list(files_under(path, AUDIO + TEXT)), f"copying {corpus}"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(path / name, target)
        except OSError as error:
            if disk_is_full(error):
                raise
            _unreadable(error, path / name)


def check_complete(path: Path, source: Source, corpus: str, do: str = "") -> int:
    """How many clips a whole copy has; a folder that lacks some is refused unless `source` accepts that (see :mod:`.complete`)."""
    known = registry.get(corpus)
    return complete.check(map(known.parse, audio_files(path)), source, known, path, do)


def audio_files(root: Path) -> list[PurePosixPath]:
    """Paths of the audio files under `root`, relative to it, sorted as text; hidden files and __MACOSX are no audio."""
    return sorted(files_under(root, AUDIO), key=str)


def files_under(root: Path, suffixes: tuple[str, ...]) -> Iterator[PurePosixPath]:
    """Yield the paths, relative to `root`, of the files with one of the `suffixes` in whatever case; links are followed."""
    if not root.is_dir():
        raise FinserError("no such folder", where=root)
    for folder, subfolders, names in os.walk(root, onerror=_unreadable, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if not _is_litter(name))
        for name in sorted(names):
            if name.lower().endswith(suffixes) and not _is_litter(name):
                yield PurePosixPath((Path(folder) / name).relative_to(root).as_posix())


def size_of_audio(path: Path, where: object = None) -> int:
    """Size of an audio file in bytes; `where` is how it is named in errors, `path` by default.

    Raises
    ------
    FinserError
        It cannot be read, is empty, or is a Git LFS pointer or an HTML page in place of audio.
    """
    try:
        size, other = path.stat().st_size, impostor(path)
    except OSError as error:
        _unreadable(error, where or path)
    where = where or path
    if not size:
        raise FinserError("empty file", where=where, do="copy or download it again")
    if other:
        do = "run `git lfs pull` in that repository" if "LFS" in other else "download it again"
        raise FinserError(f"{other} in place of audio", where=where, do=do)
    return size


def impostor(path: Path) -> str:
    """What servers send in place of a file, if that is what this one is: a Git LFS pointer or an HTML page; else ""."""
    with path.open("rb") as file:
        start = file.read(HEAD)
    if start.startswith(LFS_POINTER):
        return "a Git LFS pointer"
    if re.match(HTML, start, re.IGNORECASE):
        title = re.search(rb"<title[^>]*>([^<]*)", start, re.IGNORECASE)
        words = " ".join(title[1].decode(errors="replace").split()) if title else ""
        return f"an HTML page ('{words}')" if words else "an HTML page"
    return ""


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _unreadable(error: OSError, where: object = None) -> NoReturn:
    raise FinserError(f"cannot be read ({why(error)})", where=where or error.filename) from None
