"""The files that `finser predict` is asked for: files, folders, globs, and lists of paths."""

import sys
from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path

from finser.corpora.folders import files_under
from finser.errors import FinserError

SOUND = (  # suffixes; other files of a folder are no sound
    *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".w64", ".wav"),
)
LIST = ".txt"
STANDARD_INPUT = "-"


def paths_of(asked: Sequence[str]) -> Iterator[Path]:
    """Yield the sound files of what a user asks for, in that order; those of a folder are sorted.

    Parameters
    ----------
    asked : sequence of str
        A file; a folder, with the folders below it; a glob; a text file (``.txt``) with a path per line, relative to its folder; or ``-``,
        such a list on standard input, relative to the current folder.

    Raises
    ------
    FinserError
        There is no such file, or a folder, glob or list has no sound file.
    """
    for one in asked:
        found = list(_expanded(one))
        if not found:
            raise FinserError("no sound file", where=one, expected=f"files that end in {', '.join(SOUND)}")
        yield from found


def _expanded(asked: str) -> Iterator[Path]:
    path = Path(asked)
    if asked == STANDARD_INPUT:
        yield from _listed(sys.stdin.read(), Path())
    elif path.is_dir():
        yield from (path / name for name in sorted(files_under(path, SOUND), key=str))
    elif path.suffix.lower() == LIST and path.is_file():
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise FinserError("no list of paths in UTF-8", where=path, do="save it as UTF-8") from None
        yield from _listed(text, path.parent)
    elif has_magic(asked) and not path.exists():
        yield from (Path(name) for name in sorted(glob(asked, recursive=True)) if name.lower().endswith(SOUND))  # noqa: PTH207  (absolute ones, too)
    else:
        yield path  # whether it can be read is seen when it is


def _listed(text: str, folder: Path) -> Iterator[Path]:
    """Yield the paths of a list, one per line; empty lines are skipped."""
    names = (line.removesuffix("\r") for line in text.split("\n"))
    yield from (folder / name for name in names if name)
