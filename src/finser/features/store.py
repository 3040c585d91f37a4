"""Representations of clips, computed once per corpus: an Arrow file of arrays, which trainings map into memory.

There is one row per variant of a clip, in the order of data/shards: clip_id, variant, speaker, emotion, n_frames and ``values``, float32 or
float16 of shape (n_frames, dim). A representation with one vector per clip has one frame; that of an encoder has a layer per frame.
Parquet, the format of the shards, cannot be mapped without copies. Trainings that run at once share the pages of these files in the
system's cache.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from finser.audio.shards import AGAIN, Only, readable
from finser.errors import FinserError
from finser.files import whole_folder

FILE = "part-00000.arrow"
ROWS = 64  # per batch of the file
DTYPES = {np.float32: "<f4", np.float16: "<f2"}  # as in the file's metadata
SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("variant", pa.string()),
        ("speaker", pa.string()),
        ("emotion", pa.string()),
        ("n_frames", pa.int32()),
        ("values", pa.binary()),
    ]
)


@dataclass(frozen=True)
class Stored:
    """One variant of a clip in some representation.

    Attributes
    ----------
    values : np.ndarray
        float32 or float16, shape (n_frames, dim).
    """

    clip_id: str
    variant: str
    speaker: str
    emotion: str
    values: np.ndarray


def write(folder: Path, rows: Iterable[Stored], dim: int, dtype: type[np.floating] = np.float32) -> int:
    """Write the rows of a corpus as `folder`/part-00000.arrow, whole or not at all; returns the number of rows.

    Parameters
    ----------
    folder : Path
        Folder to replace.
    rows : iterable of Stored
        In the order of data/shards.
    dim : int
        Numbers per frame.
    dtype : type
        ``np.float32`` or ``np.float16``: type of the values.

    Raises
    ------
    FinserError
        There are no rows.
    """
    schema, total, rows = SCHEMA.with_metadata({"content": "features", "dim": str(dim), "dtype": DTYPES[dtype]}), 0, iter(rows)
    with whole_folder(folder) as partial:
        with pa.OSFile(str(partial / FILE), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            while batch := [_record(row, dim, dtype) for row in islice(rows, ROWS)]:
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema))
                total += len(batch)
        if not total:
            raise FinserError("nothing to write: no usable clip", where=folder, do="look at the index: finser index CORPUS")
    return total


def _record(row: Stored, dim: int, dtype: type[np.floating]) -> dict:
    if row.values.dtype != dtype or row.values.ndim != 2 or row.values.shape[1] != dim:
        raise TypeError(f"{row.clip_id}: values must be {np.dtype(dtype)} (n, {dim}), not {row.values.dtype} {row.values.shape}")
    return {**vars(row), "n_frames": len(row.values), "values": row.values.astype(DTYPES[dtype]).tobytes()}


def read(folder: Path, only: Only | None = None) -> Iterator[Stored]:
    """Yield the rows of a corpus, or `only` some, in order. Their values are views of the mapped file, which stays on the disk.

    Raises
    ------
    FinserError
        There is no file, it is damaged, a row lacks a value, or its ``n_frames`` and ``values`` disagree.
    """
    for batch, form, path in _batches(folder):
        yield from _rows(batch, only, form, path)


def read_names(folder: Path) -> Iterator[dict]:
    """Yield clip_id, variant, speaker, emotion and n_frames of every row; errors as in :func:`read`."""
    for batch, _, _ in _batches(folder):
        yield from batch.drop_columns(["values"]).to_pylist()


def _batches(folder: Path) -> Iterator[tuple[pa.RecordBatch, tuple[int, str], Path]]:
    """Yield the batches of a file, with the numbers per frame and their type, and the file's path."""
    path = folder / FILE
    if not path.is_file():
        raise FinserError("no such file", where=path, do="run the stage that makes it: dvc repro")
    with readable(path):
        file = pa.ipc.open_file(pa.memory_map(str(path)))
        dim, dtype = ((file.schema.metadata or {}).get(name, b"").decode(errors="replace") for name in (b"dim", b"dtype"))
        if not file.schema.equals(SCHEMA) or not dim.isdecimal() or dtype not in DTYPES.values():
            raise FinserError("not the columns of a stored representation", where=path, do=AGAIN)
        for number in range(file.num_record_batches):
            batch = file.get_batch(number)
            batch.validate(full=True)  # a damaged offset must not lead outside the file
            if any(column.null_count for column in batch.columns):
                raise FinserError("a row lacks a value", where=path, do=AGAIN)
            yield batch, (int(dim), dtype), path


def _rows(batch: pa.RecordBatch, only: Only | None, form: tuple[int, str], path: Path) -> Iterator[Stored]:
    dim, dtype = form
    names = batch.drop_columns(["values"]).to_pylist()
    for index in range(len(names)) if only is None else only.indices(batch):
        record = names[index]
        values, n_frames = batch["values"][index].as_buffer(), record.pop("n_frames")
        if values.size != np.dtype(dtype).itemsize * n_frames * dim:
            raise FinserError("values and n_frames disagree", where=f"{path} {record['clip_id']}", do=AGAIN)
        yield Stored(**record, values=np.frombuffer(values, dtype).reshape(n_frames, dim))
