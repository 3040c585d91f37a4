"""Audio files in a folder: their paths, their sizes, and a digest that detects changes. The code is independent of the corpora."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NoReturn

from finser.errors import FinserError
from finser.files import impostor, why

AUDIO = (".wav",)


def audio_files(root: Path) -> list[PurePosixPath]:
    """Return the paths of the audio files under `root`, relative to it, sorted as text; hidden files and __MACOSX are skipped."""
    return sorted(files_under(root, AUDIO), key=str)


def files_under(root: Path, suffixes: tuple[str, ...]) -> Iterator[PurePosixPath]:
    """Yield the paths, relative to `root`, of the files with one of the `suffixes` in any case; links are followed."""
    if not root.is_dir():
        raise FinserError("no such folder", where=root)
    for folder, subfolders, names in os.walk(root, onerror=unreadable, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if not is_litter_name(name))
        for name in sorted(names):
            if name.lower().endswith(suffixes) and not is_litter_name(name):
                yield PurePosixPath((Path(folder) / name).relative_to(root).as_posix())


def size_of_audio(path: Path, where: object = None) -> int:
    """Return the size of an audio file in bytes; errors call it `where`, by default `path`.

    Raises
    ------
    FinserError
        The file cannot be read, is empty, or is a Git LFS pointer or an HTML page instead of audio.
    """
    try:
        size, other = path.stat().st_size, impostor(path)
    except OSError as error:
        unreadable(error, where or path)
    where = where or path
    if not size:
        raise FinserError("empty file", where=where, do="copy or download it again")
    if other:
        do = "run `git lfs pull` in that repository" if "LFS" in other else "download it again"
        raise FinserError(f"{other} in place of audio", where=where, do=do)
    return size


def digest_of_files(root: Path, names: Iterable[PurePosixPath]) -> str:
    """Return ``sha256:...`` of names and sizes of files below `root`.

    The digest changes if a file is added, removed, renamed or changes its size. Contents are not read, since gigabytes would take minutes,
    so a replacement by a file of the same name and size is not detected.
    """
    lines = []
    for name in sorted(names, key=str):
        try:
            size = (root / name).stat().st_size
        except OSError as error:
            unreadable(error, root / name)
        lines.append(f"{name}\0{size}\n")
    return f"sha256:{hashlib.sha256(''.join(lines).encode(errors='surrogateescape')).hexdigest()}"


def is_litter_name(name: str) -> bool:
    """Return whether a file or folder is hidden, or is one that macOS adds to archives."""
    return name.startswith(".") or name == "__MACOSX"


def unreadable(error: OSError, where: object = None) -> NoReturn:
    """Raise the one-line error for a file or folder that cannot be read."""
    raise FinserError(f"cannot be read ({why(error)})", where=where or error.filename) from None
