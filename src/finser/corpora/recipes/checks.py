"""Common code of the recipes: find files, read tables, compare labels with files. What does not match is counted and named."""

import csv
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath

from finser.corpora.folders import AUDIO, files_under, unreadable
from finser.errors import FinserError
from finser.progress import say

NAMED = 3  # names that a message quotes; it has the number of all


def audio_of(folder: Path, title: str, like: str) -> list[PurePosixPath]:
    """Return the audio files under `folder`, relative to it, sorted as text; litter is skipped.

    Parameters
    ----------
    folder : Path
        The folder that the user gave.
    title : str
        Name of the data set in print.
    like : str
        Path of an audio file in the publisher's layout, for the message.

    Raises
    ------
    FinserError
        There is no such folder, or it has no audio file.
    """
    found = sorted(files_under(folder, AUDIO), key=str)
    if not found:
        raise no_layout(folder, title, f"files like {like}", "no .wav file")
    return found


def no_layout(folder: Path, title: str, expected: str, found: str) -> FinserError:
    """Return the error for a folder without the publisher's layout."""
    do = "give the folder that the archive unpacks to (docs/recipes.md)"
    return FinserError(f"not the layout of {title}", where=folder, expected=expected, found=found, do=do)


def key_of(name: str) -> str:
    """Return a name in the form in which names are compared: macOS stores accents as separate characters (NFD), tables do not."""
    return unicodedata.normalize("NFC", name)


def by_stem(names: Iterable[PurePosixPath], folder: Path) -> dict[str, PurePosixPath]:
    """Return the files by their names without folder and suffix.

    Raises
    ------
    FinserError
        Several files have one name: a second copy of the data set, or a converted one.
    """
    found: dict[str, PurePosixPath] = {}
    twice = []
    for name in names:
        first = found.setdefault(key_of(name.stem), name)
        if first != name:
            twice.append(f"{name} (also {first})")
    refuse("several files of one name", folder, twice, "keep one copy of each")
    return found


def match(labels: Collection[str], files: Collection[str], folder: Path) -> None:
    """Check that every label has a file and every file has a label.

    Raises
    ------
    FinserError
        Some do not. The message has their number and the first three.
    """
    labelled, present = set(labels), set(files)
    refuse("labels without a file", folder, sorted(labelled - present), "complete the audio files")
    refuse("files without a label", folder, sorted(present - labelled), "remove them, or complete the labels")


def refuse(what: str, where: Path, names: Collection[object], do: str) -> None:
    """Raise an error that counts `names` and quotes the first three, if there are any."""
    if names:
        raise FinserError(what, where=where, found=counted(names), do=do)


def say_left_out(names: Collection[object], why: str) -> None:
    """Print how many clips a recipe leaves out, why, and the first three; nothing if there are none."""
    if names:
        say(f"left out, {why}: {counted(names)}")


def counted(names: Collection[object]) -> str:
    """Return the number of `names` and the first three of them: ``5: a, b, c, ...``."""
    first = [str(name) for name, _ in zip(names, range(NAMED), strict=False)]
    return f"{len(names)}: {', '.join(first)}{', ...' if len(names) > NAMED else ''}"


def known(label: str, table: Mapping[str, str] | Collection[str], what: str, where: object) -> str:
    """Return the meaning of a `label` of a publisher's table, or the label itself if `table` only lists the labels.

    Raises
    ------
    FinserError
        The label is not in the `table`.
    """
    if label not in table:
        raise FinserError(f"unknown {what}", where=where, expected=f"one of {' '.join(table)}", found=f"'{label}'")
    return table[label] if isinstance(table, Mapping) else label


def read_csv(path: Path, columns: Collection[str]) -> list[dict[str, str]]:
    """Return the rows of a publisher's CSV file in UTF-8; spaces around values are removed.

    Raises
    ------
    FinserError
        The file cannot be read, is no CSV in UTF-8, or lacks one of the `columns`, or a row is shorter than the header.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except OSError as error:
        unreadable(error, path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise FinserError(f"not a CSV file in UTF-8 ({error})", where=path) from None
    header = reader.fieldnames or []
    missing = [name for name in columns if name not in header]
    if missing:
        raise FinserError("columns are missing", where=path, expected=", ".join(missing), found=", ".join(header) or "an empty file")
    refuse("rows without a value for every column", path, [n for n, row in enumerate(rows, 1) if None in map(row.get, columns)], "")
    return [{name: row[name].strip() for name in columns} for row in rows]
