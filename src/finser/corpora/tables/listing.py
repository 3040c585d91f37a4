"""A table, checked: one row per clip. `fetch` stores it beside the recordings, and `index` reads it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from finser import layout
from finser.config import locations
from finser.config.params import Params
from finser.config.sections.fetch import Table
from finser.corpora.tables import checks
from finser.corpora.tables.labels import check_labels
from finser.corpora.tables.reading import Rows, read_table
from finser.errors import FinserError, FinserErrors
from finser.files import checksum, read_json

NAME = "table.parquet"  # in data/raw/CORPUS
AUDIO = "audio"  # folder of the recordings, beside it
SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # relative to the folder of the recordings, in Unicode's form NFC
        ("clip", pa.string()),  # path without suffix, and the span of time of a part of a file
        ("speaker", pa.string()),
        ("label", pa.string()),
        ("sex", pa.string()),  # male, female or ""
        ("language", pa.string()),
        ("sentence", pa.string()),
        ("intensity", pa.string()),
        ("start", pa.float64()),  # seconds; null: from the beginning
        ("end", pa.float64()),  # seconds; null: to the end
        ("part", pa.string()),  # column `split`: train, validation, test or ""
        ("fold", pa.int32()),  # column `fold`; null: none
    ]
)


@dataclass(frozen=True)
class Listing:
    """A checked table.

    Attributes
    ----------
    clips : pa.Table
        Columns of :data:`SCHEMA`, a row per clip, in the order of the table.
    files : dict of str to str
        Path on the disk of every recording, relative to the folder of the recordings, by ``path``.
    unused : tuple of str
        Columns of the table that finser does not use.
    """

    clips: pa.Table
    files: dict[str, str]
    unused: tuple[str, ...]


def check_table(path: Path, root: Path, source: Table, corpus: str, classes: Sequence[str] | None) -> Listing:
    """Read and check a table; no recording is opened.

    Parameters
    ----------
    path, root : Path
        The table, and the folder to which its paths are relative.
    source : Table
        Section ``fetch.CORPUS``.
    corpus : str
        Name of the corpus, for messages.
    classes : sequence of str, optional
        ``emotions`` of params.yaml, which the error on labels without an emotion proposes; if None, such labels are accepted.

    Raises
    ------
    FinserErrors
        One line for each kind of fault, with the lines of the table that have it.
    """
    rows = read_table(path, source.columns)
    if not root.is_dir():
        raise FinserError("no such folder", where=root, expected=f"the folder of the recordings of {corpus}")
    faults = checks.Faults(path, "row" if path.suffix.lower() == ".parquet" else "line")
    columns, files = _columns(rows, root, source, faults)
    wrong = faults.errors() + ([] if classes is None else check_labels(columns["label"], source, corpus, path, classes))
    if wrong:
        raise FinserErrors(wrong)
    return Listing(pa.Table.from_pydict(columns, SCHEMA), files, rows.unused)


def _columns(rows: Rows, root: Path, source: Table, faults: checks.Faults) -> tuple[dict[str, list], dict[str, str]]:
    """Return the columns of :data:`SCHEMA` and the files; record what is wrong."""
    paths, there = checks.files(rows, root, faults)
    starts, ends = checks.spans(rows, faults)
    clips = list(checks.clip_names(paths, starts, ends))
    unknown = faults.rows()  # of no file, or of no span of time
    known = [f"?{line}" if line in unknown or not clip else clip for clip, line in zip(clips, rows.lines, strict=True)]
    checks.check_distinct(known, rows.lines, faults)
    checks.check_filled(rows, faults)
    parts, folds = checks.parts(rows, faults)
    columns = {"path": paths, "clip": clips, "speaker": rows.column("speaker"), "label": rows.column("emotion")}
    columns |= {"sex": checks.sexes(rows, faults), "language": [cell or source.language for cell in rows.column("language")]}
    columns |= {name: rows.column(name) for name in ("sentence", "intensity")}
    return columns | {"start": starts, "end": ends, "part": parts, "fold": folds}, dict(zip(paths, there, strict=True))


def stored(root: Path) -> pa.Table:
    """Return the table that `fetch` stored in data/raw/CORPUS."""
    path = root / NAME
    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException):
        table = None
    if table is None or not table.schema.equals(SCHEMA):
        raise FinserError("not the stored table of an own corpus", where=path, do="delete its folder and run: dvc repro")
    return table


def number_of_rows(corpus: str) -> int:
    """Return about how many rows the table of a corpus has, without reading them: of text, the lines below the first; 0 if it is unknown.

    The table that `fetch` stored counts first, since that of local.yaml may be on another machine.
    """
    here = layout.raw(corpus) / NAME
    path = here if here.exists() else Path(locations.load().corpora.get(corpus, "")).expanduser()
    if not path.is_file():
        return 0
    if path.suffix.lower() == ".parquet":
        with suppress(OSError, pa.ArrowException):  # `fetch` says what is wrong with it
            return pq.read_metadata(path).num_rows
        return 0
    with path.open("rb") as file:
        return max(sum(block.count(b"\n") for block in iter(lambda: file.read(2**20), b"")) - 1, 1)


def changed_tables(params: Params) -> Iterator[str]:
    """Yield a line for every table whose content is another one than `fetch` stored: DVC does not see files outside the project."""
    places = locations.load().corpora
    for corpus in (name for name in params.corpora if isinstance(params.fetch[name], Table)):
        source, table = layout.raw(corpus) / "SOURCE.json", Path(places.get(corpus, "")).expanduser()
        if source.exists() and table.is_file() and read_json(source).get("table") != f"sha256:{checksum(table)}":
            again = f"dvc repro --force --single-item fetch@{corpus}"
            yield f"note: {table} has changed since {corpus} was fetched; the old content is used; to read the new one: {again}"
