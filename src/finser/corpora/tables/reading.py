"""Read a CSV, TSV or Parquet table as text, with the line number of every row."""

import csv
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args
from unicodedata import normalize

import pyarrow as pa
import pyarrow.parquet as pq

from finser.config.sections.fetch import ColumnName
from finser.errors import FinserError, nearest
from finser.files import why

COLUMNS: tuple[str, ...] = get_args(ColumnName)
REQUIRED = ("path", "speaker", "emotion")
DECIDING = (*REQUIRED, "start", "end", "split", "fold")  # columns that must not be overlooked because of their case
DELIMITERS = {".csv": ",", ".tsv": "\t"}
LONGEST = 2**20  # characters of a cell
DO_COLUMNS = "rename them, or name them: finser corpora add NAME TABLE --column emotion=label (fetch.NAME.columns in params.yaml)"


@dataclass(frozen=True)
class Rows:
    """Cells of a table.

    Attributes
    ----------
    cells : dict of list of str
        Every column of :data:`COLUMNS` that the table has: text without surrounding spaces, in Unicode's form NFC; "" for an empty cell.
    lines : sequence of int
        Line of each row in the text file; of a Parquet file, its number, from 1.
    unused : tuple of str
        Other columns of the table.
    """

    cells: dict[str, list[str]]
    lines: list[int]
    unused: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str) -> list[str]:
        """Return a column; empty cells if the table does not have it."""
        return self.cells.get(name) or [""] * len(self)


def read_table(path: Path, names: Mapping[str, str] | None = None) -> Rows:
    """Read a table.

    Parameters
    ----------
    path : Path
        A file that ends in .csv (commas), .tsv (tabs) or .parquet. Text is UTF-8; its first line has the names of the columns.
    names : mapping of str to str, optional
        Name in the table of each column of :data:`COLUMNS` that has another name there.

    Raises
    ------
    FinserError
        The file is missing, of another kind or not readable; it has no row, no column of a required name, two columns of one name; or lines
        have more or fewer cells than the first.
    """
    suffix = path.suffix.lower()
    if suffix not in (*DELIMITERS, ".parquet"):
        raise FinserError("unknown kind of table", where=path, expected="a file that ends in .csv, .tsv or .parquet")
    wanted = {name: (names or {}).get(name, name) for name in COLUMNS}
    try:
        head, columns, lines = _of_parquet(path, wanted.values()) if suffix == ".parquet" else _of_text(path, DELIMITERS[suffix])
    except FileNotFoundError:
        raise FinserError("no such table", where=path) from None
    except (OSError, pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        do = "save it as UTF-8" if isinstance(error, UnicodeDecodeError) else ""
        raise FinserError(f"not readable as a table ({why(error)})", where=path, do=do) from None
    if len(head) == 1 and (other := next((mark for mark in ";\t|," if mark in head[0]), None)):
        expected = f"{'tabs' if suffix == '.tsv' else 'commas'} between cells"
        raise FinserError("another delimiter", where=path, expected=expected, found=repr(other), do="save it with that delimiter")
    _check_head(head, wanted, path)
    if not lines:
        raise FinserError("has no row", where=path, expected=f"a line for each clip below {', '.join(head)}")
    cells = {name: _clean(columns[there]) for name, there in wanted.items() if there in head}
    return Rows(cells, lines, tuple(name for name in head if name not in wanted.values()))


def _of_text(path: Path, delimiter: str) -> tuple[list[str], dict[str, list[str]], list[int]]:
    """Return names, columns and line numbers of a text file; lines without any text are left out."""
    csv.field_size_limit(LONGEST)
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        head = [name.strip() for name in next(reader, [])]
        rows, lines, wrong = [], [], []
        for number, row in _numbered(reader):
            rows.append(row)
            lines.append(number)
            wrong += [number] if len(row) != len(head) else []
    if wrong:
        do = "quote cells that hold a delimiter or a line break"
        raise FinserError(f"another number of cells than names in the first line: {named(wrong)}", where=path, expected=len(head), do=do)
    return head, dict(zip(head, map(list, zip(*rows, strict=True)), strict=False)), lines


def _numbered(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line and the cells of every row, which may have line breaks in cells."""
    before = reader.line_num
    for row in reader:
        if any(row):
            yield before + 1, row
        before = reader.line_num


def _of_parquet(path: Path, wanted: Collection[str]) -> tuple[list[str], dict[str, list[str]], list[int]]:
    """Return the names of all columns, the `wanted` columns, and row numbers; other columns, such as embeddings, are not read."""
    file = pq.ParquetFile(path)
    head = file.schema_arrow.names
    table = file.read([name for name in dict.fromkeys(head) if name in wanted])
    columns = {
        name: [_as_text(value) for value in column.to_pylist()] for name, column in zip(table.schema.names, table.columns, strict=True)
    }
    return head, columns, list(range(1, file.metadata.num_rows + 1))


def _as_text(value: object) -> str:
    """Return a cell of a Parquet file as text: "" for null and NaN, ``3`` for 3.0, as pandas stores integers beside empty cells."""
    if isinstance(value, float):
        return "" if math.isnan(value) else str(int(value)) if value.is_integer() else str(value)
    return "" if value is None else str(value)


def _clean(column: list[str]) -> list[str]:
    return [cell if cell.isascii() else normalize("NFC", cell) for cell in map(str.strip, column)]


def _check_head(head: list[str], wanted: Mapping[str, str], path: Path) -> None:
    """Check the names of the columns."""
    twice = [name for name, times in Counter(head).items() if times > 1]
    if twice:
        raise FinserError(f"two columns of one name: {', '.join(map(repr, twice))}", where=path)
    others = {name: there for there in head for name in DECIDING if there.lower() == name != there and wanted[name] not in head}
    if others:
        options = " ".join(f"--column {name}={there}" for name, there in others.items())
        do = f"rename them, or run: finser corpora add NAME TABLE {options}"
        raise FinserError(f"columns {', '.join(map(repr, others.values()))}", where=path, expected=", ".join(others), do=do)
    missing = {name: there for name, there in wanted.items() if there not in head and (name in REQUIRED or there != name)}
    if missing:
        what = f"no column{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing.values()))}"
        (first, *_) = missing.values()
        close = nearest(first, head) if head else "the first line is empty"
        raise FinserError(what, where=path, found=", ".join(head) or None, do=f"{close}; {DO_COLUMNS}")


def named(lines: list[int], word: str = "line", most: int = 10) -> str:
    """Return the numbers of lines in words: ``lines 3, 9 and 17``, with a count of those after the first `most`."""
    shown = [str(line) for line in lines[:most]]
    more = [f"{len(lines) - most:,} more"] if len(lines) > most else []
    texts = [*shown, *more]
    return f"{word}{'s' if len(lines) > 1 else ''} {', '.join(texts[:-1])}{' and ' if len(texts) > 1 else ''}{texts[-1]}"
