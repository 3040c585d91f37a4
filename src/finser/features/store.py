"""Representations of clips, computed once per corpus: Parquet shards of float32 arrays in an uncompressed binary column.

There is one row per variant of a clip, in the order of data/shards: clip_id, variant, speaker, emotion, n_frames and ``values``, float32 of
shape (n_frames, dim). A representation with one vector per clip has one frame.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from finser.audio.shards import AGAIN, Only, find_parts, open_part, readable, write_parts
from finser.errors import FinserError
from finser.files import whole_folder

_WORD = pa.dictionary(pa.int16(), pa.string())
SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("variant", _WORD),
        ("speaker", _WORD),
        ("emotion", _WORD),
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
        float32, shape (n_frames, dim).
    """

    clip_id: str
    variant: str
    speaker: str
    emotion: str
    values: np.ndarray


def write(folder: Path, rows: Iterable[Stored], dim: int) -> int:
    """Write the rows of a corpus as `folder`/part-NNNNN.parquet, whole or not at all; returns the number of rows.

    Raises
    ------
    FinserError
        There are no rows.
    """
    schema = SCHEMA.with_metadata({"content": "features", "dim": str(dim), "dtype": "<f4"})
    dictionary = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    compression = {field.name: "NONE" if field.name == "values" else "ZSTD" for field in schema}
    with whole_folder(folder) as partial:
        records = (_record(row, dim) for row in rows)
        total = write_parts(partial / "part", records, schema, compression=compression, use_dictionary=dictionary, write_statistics=False)
        if not total:
            raise FinserError("nothing to write: no usable clip", where=folder, do="look at the index: finser index CORPUS")
    return total


def _record(row: Stored, dim: int) -> dict:
    if row.values.dtype != np.float32 or row.values.ndim != 2 or row.values.shape[1] != dim:
        raise TypeError(f"{row.clip_id}: values must be float32 (n, {dim}), not {row.values.dtype} {row.values.shape}")
    return {**vars(row), "n_frames": len(row.values), "values": row.values.astype("<f4").tobytes()}


def read(folder: Path, only: Only | None = None) -> Iterator[Stored]:
    """Yield the rows of a corpus, or `only` some, in the order of the shards, one row group in memory at a time.

    Raises
    ------
    FinserError
        There are no shards, one is damaged, or a row's ``n_frames`` and ``values`` disagree.
    """
    for part in find_parts(folder):
        file = open_part(part)
        with readable(part):
            dim = int(file.schema_arrow.metadata[b"dim"])
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                yield from _rows(table if only is None else only.rows(table), dim, part)


def _rows(table: pa.Table, dim: int, part: Path) -> Iterator[Stored]:
    names = table.drop_columns(["values"]).to_pylist()
    for record, values in zip(names, table["values"], strict=True):
        array = np.frombuffer(values.as_buffer(), "<f4")
        n_frames = record.pop("n_frames")
        if len(array) != n_frames * dim:
            raise FinserError("values and n_frames disagree", where=f"{part} {record['clip_id']}", do=AGAIN)
        yield Stored(**record, values=array.reshape(n_frames, dim))
