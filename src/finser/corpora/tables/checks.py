"""Checks of a table's rows: all wrong rows are listed together, with their lines."""

import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from finser.corpora.folders import unreadable
from finser.corpora.tables.folds import MOST_FOLDS, PARTS, fold_number
from finser.corpora.tables.reading import REQUIRED, Rows, named
from finser.errors import FinserError

SEXES = {"male": "male", "m": "male", "female": "female", "f": "female", "": ""}


@dataclass
class Faults:
    """Faults of a table, by what is wrong.

    Attributes
    ----------
    where : Path
        The table.
    word : str
        What its rows are called: ``line`` (of text) or ``row``.
    """

    where: Path
    word: str
    lines: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, line: int, what: str, do: str = "", found: str = "") -> None:
        """Record a fault of a row; `found` is the cell that has it."""
        self.lines[what, do].append(line)
        self.examples.setdefault(what, found)

    def rows(self) -> set[int]:
        """Return the lines that have a fault so far."""
        return {line for lines in self.lines.values() for line in lines}

    def errors(self) -> list[FinserError]:
        """Return one error for each kind of fault, which names its lines, and the first cell that has it."""
        return [self._error(what, do, sorted(set(lines))) for (what, do), lines in self.lines.items()]

    def _error(self, what: str, do: str, lines: list[int]) -> FinserError:
        example = f", e.g. '{self.examples[what]}'" if self.examples[what] else ""
        return FinserError(f"{what}{example}: {named(lines, self.word)}", where=self.where, do=do)


def check_filled(rows: Rows, faults: Faults) -> None:
    """Record empty cells of the required columns."""
    for name in REQUIRED:
        for line, cell in zip(rows.lines, rows.column(name), strict=True):
            if not cell:
                faults.add(line, f"empty {name}")


def parts(rows: Rows, faults: Faults) -> tuple[list[str], list[int | None]]:
    """Return the columns ``split`` and ``fold``; record other values than train, validation, test and whole numbers from 1."""
    named_parts, numbers = rows.column("split"), []
    for line, part, fold in zip(rows.lines, named_parts, rows.column("fold"), strict=True):
        if part and part not in PARTS:
            faults.add(line, f"split is none of {', '.join(PARTS)}", "leave the cell empty for clips in none of them", part)
        numbers.append(fold_number(fold))
        if fold and numbers[-1] is None:
            faults.add(line, f"fold is no whole number from 1 to {MOST_FOLDS}", found=fold)
        if part and fold:
            faults.add(line, "split and fold are both given", "keep one of the two columns")
    return named_parts, numbers


def sexes(rows: Rows, faults: Faults) -> list[str]:
    """Return the column ``sex``; record other values than male (m), female (f) and none, and speakers of two sexes.

    An empty cell takes the sex of the speaker's other rows.
    """
    known: dict[str, str] = {}
    for line, speaker, cell in zip(rows.lines, rows.column("speaker"), rows.column("sex"), strict=True):
        sex = SEXES.get(cell.lower())
        if sex is None:
            faults.add(line, "sex is none of male, female", "leave the cell empty if it is unknown or another one", cell)
        elif sex and speaker and known.setdefault(speaker, sex) != sex:
            faults.add(line, "a speaker has another sex than in an earlier row", found=speaker)
    return [known.get(speaker, "") for speaker in rows.column("speaker")]


def spans(rows: Rows, faults: Faults) -> tuple[list[float | None], list[float | None]]:
    """Return the columns ``start`` and ``end`` in seconds, None for an empty cell; record what is no span of time."""
    if not {"start", "end"} & rows.cells.keys():
        return [None] * len(rows), [None] * len(rows)
    starts, ends = [], []
    for line, start, end in zip(rows.lines, rows.column("start"), rows.column("end"), strict=True):
        first, last = _seconds(start), _seconds(end)
        for name, cell, value in (("start", start, first), ("end", end, last)):
            if cell and value is None:
                faults.add(line, f"{name} is no number of seconds from 0", "write numbers like 12.5", cell)
        if last is not None and last <= (first or 0.0):
            faults.add(line, "end is not after start")
        starts.append(first)
        ends.append(last)
    return starts, ends


def _seconds(cell: str) -> float | None:
    """Return a cell as seconds; None if it is empty or no finite number from 0."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


@dataclass
class Folder:
    """The folder of a table's recordings, whose subfolders are listed when first asked for.

    No file is opened, and none is asked for by name: on network file systems, a listing takes as long as one such question.
    """

    root: Path
    listings: dict[str, dict[str, str]] = field(default_factory=dict)

    def relative(self, cell: str) -> str | None:
        """Return a path of the table relative to the root; None if it leads out of it."""
        if not cell.startswith("/") and ".." not in cell and "//" not in cell and "./" not in cell:
            return cell
        absolute = os.path.normpath(self.root.absolute() / cell)
        for path, root in ((absolute, self.root.absolute()), (os.path.realpath(absolute), os.path.realpath(self.root))):
            inside = os.path.relpath(path, root)
            if not inside.startswith("..") and inside != ".":
                return PurePosixPath(inside).as_posix()
        return None

    def find(self, name: str) -> str | None:
        """Return the path on the disk of a relative path, from which it may differ in Unicode's form (NFC, NFD); None: no such file."""
        parent = ""
        *folders, last = name.split("/")
        for part in folders:
            found = self._listing(parent).get(f"{part}/", "")
            if not found:
                return None
            parent = f"{parent}{found}/"
        found = self._listing(parent).get(last, "")
        return f"{parent}{found}" if found else None

    def _listing(self, folder: str) -> dict[str, str]:
        """Return the names in a folder, by their form NFC; names of folders end in a slash."""
        if folder not in self.listings:
            try:
                with os.scandir(self.root / folder) as entries:
                    self.listings[folder] = {f"{normalize('NFC', entry.name)}{'/' * _is_folder(entry)}": entry.name for entry in entries}
            except OSError as error:
                unreadable(error, self.root / folder)
        return self.listings[folder]


def _is_folder(entry: os.DirEntry) -> bool:
    """Return whether an entry is a folder; a link to itself, or one that may not be followed, is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def files(rows: Rows, root: Path, faults: Faults) -> tuple[list[str], list[str]]:
    """Return, for every row, the path relative to `root` and the path on the disk; record paths outside `root` and of no file."""
    folder, known = Folder(root), {}
    for cell in dict.fromkeys(rows.column("path")):
        name = folder.relative(cell) if cell else None
        known[cell] = (name or "", (folder.find(name) if name else None) or "")
    do = f"paths are relative to {root}; for another folder run: finser corpora add NAME TABLE --root FOLDER"
    for line, cell in zip(rows.lines, rows.column("path"), strict=True):
        name, there = known[cell]
        if cell and not name:
            faults.add(line, "path outside the folder of the recordings", do, cell)
        elif cell and not there:
            faults.add(line, f"no such file{_separators(cell)}", do, cell)
    return tuple(map(list, zip(*(known[cell] for cell in rows.column("path")), strict=True)))


def _separators(cell: str) -> str:
    return " (folders are separated by /, not by \\)" if "\\" in cell else ""


def check_distinct(clips: Sequence[str], lines: Iterable[int], faults: Faults) -> None:
    """Record rows of a clip that an earlier row has."""
    seen: set[str] = set()
    for clip, line in zip(clips, lines, strict=True):
        if clip in seen:
            faults.add(line, "the same clip as an earlier row", "keep one row for each path (without suffix) and span of time")
        seen.add(clip)


def clip_names(paths: Sequence[str], starts: Sequence[float | None], ends: Sequence[float | None]) -> Iterator[str]:
    """Yield the name of every clip: its path without suffix and, of a part of a file, ``@start-end`` in seconds."""
    for path, start, end in zip(paths, starts, ends, strict=True):
        stem = path.rpartition(".")[0] if "." in path.rpartition("/")[2][1:] else path
        if not start and end is None:
            yield stem
        else:
            yield f"{stem}@{start or 0:.3f}-{'' if end is None else f'{end:.3f}'}"
