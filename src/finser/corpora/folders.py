"""Audio files in a folder: which there are, how large they are, and whether they changed. Nothing here knows a corpus."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NoReturn

from finser.errors import FinserError
from finser.files import impostor, why

AUDIO = (".wav",)


def audio_files(root: Path) -> list[PurePosixPath]:
    """Paths of the audio files under `root`, relative to it, sorted as text; hidden files and those in __MACOSX are left out."""
    return sorted(files_under(root, AUDIO), key=str)


def files_under(root: Path, suffixes: tuple[str, ...]) -> Iterator[PurePosixPath]:
    """Yield the paths, relative to `root`, of the files with one of the `suffixes` in whatever case; links are followed."""
    if not root.is_dir():
        raise FinserError("no such folder", where=root)
    for folder, subfolders, names in os.walk(root, onerror=unreadable, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if not is_litter(name))
        for name in sorted(names):
            if name.lower().endswith(suffixes) and not is_litter(name):
                yield PurePosixPath((Path(folder) / name).relative_to(root).as_posix())


def size_of_audio(path: Path, where: object = None) -> int:
    """Size of an audio file in bytes; errors name it `where`, by default `path`.

    Raises
    ------
    FinserError
        It cannot be read, is empty, or is a Git LFS pointer or an HTML page in place of audio.
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


def digest(root: Path, names: Iterable[PurePosixPath]) -> str:
    """``sha256:...`` of names and sizes of files below `root`: another one if a file was added, removed, renamed or got another size.

    Contents are not read: gigabytes would take minutes. A file that is replaced by one of the same name and size is not seen.
    """
    lines = []
    for name in sorted(names, key=str):
        try:
            size = (root / name).stat().st_size
        except OSError as error:
            unreadable(error, root / name)
        lines.append(f"{name}\0{size}\n")
    return f"sha256:{hashlib.sha256(''.join(lines).encode(errors='surrogateescape')).hexdigest()}"


def is_litter(name: str) -> bool:
    """Whether a file or folder is hidden, or what macOS adds to archives."""
    return name.startswith(".") or name == "__MACOSX"


def unreadable(error: OSError, where: object = None) -> NoReturn:
    """Raise the one-line error for a file or folder that cannot be read."""
    raise FinserError(f"cannot be read ({why(error)})", where=where or error.filename) from None
