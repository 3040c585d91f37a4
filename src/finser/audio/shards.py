"""Parquet shards: int16 PCM in an uncompressed binary column, read by memory map, and row-aligned labels.

Audio rows hold raw little-endian int16 PCM, mono, 22,050 Hz. Label rows hold, per feature, a float32 array of shape (n_frames, dim). Shard
and label files of one corpus have the same names (part-00000.parquet, ...) and the same rows.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finser.audio.frames import DIMENSIONS, SR, n_frames
from finser.errors import FinserError
from finser.files import whole_folder, why

ROWS_PER_GROUP = 100
GROUPS_KEPT = 4  # row groups that a random-access reader caches
GROUPS_PER_PART = 20  # 2,000 clips of 2.5 s: about 220 MB
AGAIN = "if a stage made it: dvc checkout, or dvc repro"

_WORD = pa.dictionary(pa.int16(), pa.string())
AUDIO_SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("corpus", _WORD),
        ("speaker", _WORD),
        ("emotion", _WORD),
        ("variant", _WORD),
        ("seed", pa.int64()),
        ("draw", pa.string()),  # JSON: the drawn parameters, which reproduce the row
        ("n_samples", pa.int32()),
        ("audio", pa.binary()),
    ]
)
LABEL_SCHEMA = pa.schema(
    [("clip_id", pa.string()), ("variant", _WORD), ("n_frames", pa.int32()), *((feature, pa.binary()) for feature in DIMENSIONS)]
)


@dataclass(frozen=True)
class AudioRow:
    """One variant of one clip.

    Attributes
    ----------
    audio : np.ndarray
        int16, shape (n_samples,), mono, 22,050 Hz.
    draw : dict
        The drawn parameters, as values that JSON can hold.
    """

    clip_id: str
    corpus: str
    speaker: str
    emotion: str
    variant: str
    seed: int
    draw: dict
    audio: np.ndarray


class Only:
    """A filter of the rows that a reader yields.

    Parameters
    ----------
    clip_ids, variants : collection of str
        Rows of other clips or variants are skipped before their values are copied.
    """

    def __init__(self, clip_ids: Collection[str], variants: Collection[str]) -> None:
        self._clips, self._variants = (pa.array(sorted(names), pa.string()) for names in (clip_ids, variants))

    def rows(self, table: pa.Table) -> pa.Table:
        """Return the selected rows of a table with the columns clip_id and variant."""
        return table.filter(self._mask(table))

    def indices(self, batch: pa.RecordBatch) -> list[int]:
        """Return the positions of the selected rows of a batch with the same columns."""
        return np.flatnonzero(self._mask(batch).to_numpy(zero_copy_only=False)).tolist()

    def _mask(self, table: pa.Table | pa.RecordBatch) -> pa.Array | pa.ChunkedArray:
        clips = pc.is_in(table["clip_id"], self._clips)
        return pc.and_(clips, pc.is_in(pc.cast(table["variant"], pa.string()), self._variants))


@dataclass(frozen=True)
class LabelRow:
    """librosa's features of one variant of one clip; each array is float32 of shape (n_frames, dim)."""

    clip_id: str
    variant: str
    features: dict[str, np.ndarray]


def write_audio(folder: Path, rows: Iterable[AudioRow]) -> int:
    """Write a corpus's audio rows as `folder`/part-NNNNN.parquet, whole or not at all; return the number of rows."""
    return _write(folder, map(_audio_record, rows), AUDIO_SCHEMA, "audio")


def write_labels(folder: Path, rows: Iterable[LabelRow]) -> int:
    """Write a corpus's label rows, in the order of its shards; return the number of rows."""
    return _write(folder, map(_label_record, rows), LABEL_SCHEMA, "labels")


def read_audio(folder: Path, only: Only | None = None) -> Iterator[AudioRow]:
    """Yield the rows of a corpus, or `only` some, in order, one row group in memory at a time."""
    for record in read_records(folder, AUDIO_SCHEMA.names, only):
        audio = record.pop("audio")
        if len(audio) != 2 * record.pop("n_samples"):
            raise FinserError("audio and n_samples disagree", where=f"{folder} {record['clip_id']}", do=AGAIN)
        yield AudioRow(**{**record, "draw": json.loads(record["draw"])}, audio=np.frombuffer(audio, "<i2"))


def read_labels(folder: Path, features: Iterable[str] = tuple(DIMENSIONS), only: Only | None = None) -> Iterator[LabelRow]:
    """Yield the label rows of a corpus, or `only` some, in order, with the given `features` only."""
    features = tuple(features)
    for record in read_records(folder, ("clip_id", "variant", "n_frames", *features), only):
        for name in features:
            found, expected = len(record[name]), 4 * DIMENSIONS[name] * record["n_frames"]
            if found != expected:
                where = f"{folder} {record['clip_id']}"
                raise FinserError(f"{name} and n_frames disagree", where=where, expected=f"{expected} bytes", found=found, do=AGAIN)
        arrays = {name: np.frombuffer(record[name], "<f4").reshape(-1, DIMENSIONS[name]) for name in features}
        yield LabelRow(record["clip_id"], record["variant"], arrays)


def read_aligned(
    shards: Path, labels: Path, features: Iterable[str] = tuple(DIMENSIONS), only: Only | None = None
) -> Iterator[tuple[AudioRow, LabelRow]]:
    """Yield every audio row, or `only` some, with its label row.

    Raises
    ------
    FinserError
        A row of the labels belongs to another clip or variant, has another number of frames, or the two differ in length.
    """
    end = object()
    audio_rows, label_rows = read_audio(shards, only), read_labels(labels, features, only)
    while True:
        audio, label = next(audio_rows, end), next(label_rows, end)
        if audio is end and label is end:
            return
        if audio is end or label is end:
            raise FinserError("shards and labels differ in length", where=labels, do="run the label stage again")
        _check_pair(audio, label, labels)
        yield audio, label


class ClipReader:
    """Random access to the originals of a corpus, by clip_id.

    Memory: names and positions of the clips (a few hundred bytes each), and the `GROUPS_KEPT` row groups read last, each of at most
    `ROWS_PER_GROUP` rows: about 45 MB of clips of 2.5 s, for a corpus of any size.

    Parameters
    ----------
    folder : Path
        Folder of the corpus's shards.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._group = lru_cache(maxsize=GROUPS_KEPT)(_audio_of_group)

    @cached_property
    def _rows(self) -> list[tuple[str, str, tuple[Path, int, int]]]:
        """Return clip_id, speaker and (part, row group, row) of every original, in the order of clip_id."""
        found = []
        for part in find_parts(self.folder):
            file = open_part(part)
            with readable(part):
                places = (
                    (part, group, row) for group in range(file.num_row_groups) for row in range(file.metadata.row_group(group).num_rows)
                )
                columns = file.read(columns=["clip_id", "speaker", "variant"]).to_pydict().values()
                found += [
                    (clip_id, speaker, place)
                    for clip_id, speaker, variant, place in zip(*columns, places, strict=True)
                    if variant == "original"
                ]
        return sorted(found)

    @cached_property
    def _places(self) -> dict[str, tuple[Path, int, int]]:
        return {clip_id: place for clip_id, _, place in self._rows}

    @cached_property
    def by_speaker(self) -> dict[str, list[str]]:
        """Return the clip_ids of every speaker, sorted."""
        found = defaultdict(list)
        for clip_id, speaker, _ in self._rows:
            found[speaker].append(clip_id)
        return dict(found)

    def audio(self, clip_id: str) -> np.ndarray:
        """Return the samples of a clip, int16, shape (n_samples,), read-only.

        Raises
        ------
        FinserError
            There is no such clip, or its shard cannot be read.
        """
        if clip_id not in self._places:
            raise FinserError(f"no clip '{clip_id}'", where=self.folder, do="run the resample stage again")
        part, group, row = self._places[clip_id]
        return np.frombuffer(self._group(part, group)[row].as_buffer(), "<i2")


def _audio_of_group(part: Path, group: int) -> pa.ChunkedArray:
    with readable(part):
        return open_part(part).read_row_group(group, columns=["audio"])["audio"]


def _check_pair(audio: AudioRow, label: LabelRow, where: Path) -> None:
    if (audio.clip_id, audio.variant) != (label.clip_id, label.variant):
        raise FinserError(
            "labels belong to another row",
            where=where,
            expected=f"{audio.clip_id} ({audio.variant})",
            found=f"{label.clip_id} ({label.variant})",
            do="run the label stage again",
        )
    for name, array in label.features.items():
        if len(array) != n_frames(len(audio.audio)):
            raise FinserError(
                f"{name} is misaligned", where=f"{where} {audio.clip_id}", expected=n_frames(len(audio.audio)), found=len(array)
            )


def _audio_record(row: AudioRow) -> dict:
    if row.audio.dtype != np.int16 or row.audio.ndim != 1:
        raise TypeError(f"{row.clip_id}: audio must be int16 of one dimension, not {row.audio.dtype} of {row.audio.ndim}")
    draw = json.dumps(row.draw, sort_keys=True)
    return {**vars(row), "draw": draw, "n_samples": len(row.audio), "audio": row.audio.astype("<i2").tobytes()}


def _label_record(row: LabelRow) -> dict:
    frames = {name: len(array) for name, array in row.features.items()}
    if set(frames) != set(DIMENSIONS) or len(set(frames.values())) != 1:
        raise TypeError(f"{row.clip_id}: labels need all of {tuple(DIMENSIONS)} with one number of frames, not {frames}")
    arrays = {name: array.astype("<f4").tobytes() for name, array in row.features.items()}
    return {"clip_id": row.clip_id, "variant": row.variant, "n_frames": frames["rms"], **arrays}


def _write(folder: Path, records: Iterable[dict], schema: pa.Schema, content: str) -> int:
    # no version of finser, so that the same content has the same bytes with every version
    schema = schema.with_metadata({"content": content, "sr": str(SR), "dtype": "<i2" if content == "audio" else "<f4"})
    binary = {field.name for field in schema if field.type == pa.binary()}
    compression = {field.name: "NONE" if field.name in binary else "ZSTD" for field in schema}
    dictionary = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    with whole_folder(folder) as partial:
        total = write_parts(partial / "part", records, schema, compression=compression, use_dictionary=dictionary, write_statistics=False)
        if not total:
            raise FinserError("nothing to write: no usable clip", where=folder, do="look at the index: finser index CORPUS")
    return total


def write_parts(stem: Path, records: Iterable[dict], schema: pa.Schema, **options: Any) -> int:
    """Write records as STEM-00000.parquet, STEM-00001.parquet, ..., one row group in memory at a time.

    Parameters
    ----------
    stem : Path
        An existing folder, and the prefix of file names in it.
    records : iterable of dict
        Consumed lazily.
    schema : pa.Schema
        Schema of the records.
    **options
        Options of ``pyarrow.parquet.ParquetWriter``.

    Returns
    -------
    int
        The number of rows; with 0 rows no file is written.
    """
    groups, total = _in_groups(records), 0
    for part, first in enumerate(groups):
        with pq.ParquetWriter(stem.with_name(f"{stem.name}-{part:05d}.parquet"), schema, **options) as writer:
            for group in chain([first], islice(groups, GROUPS_PER_PART - 1)):
                writer.write_table(pa.Table.from_pylist(group, schema), row_group_size=len(group))
                total += len(group)
    return total


def _in_groups(records: Iterable[dict]) -> Iterator[list[dict]]:
    group: list[dict] = []
    for record in records:
        group.append(record)
        if len(group) == ROWS_PER_GROUP:
            yield group
            group = []
    if group:
        yield group


def find_parts(path: Path) -> list[Path]:
    """Return the shards in a folder, in order; a path of a shard gives that shard alone.

    Raises
    ------
    FinserError
        There are no shards, or the folder cannot be read.
    """
    try:
        if path.is_file():
            return [path]
        parts = sorted(part for part in path.iterdir() if part.match("part-*.parquet"))
    except FileNotFoundError:
        parts = []
    except OSError as error:
        raise FinserError(f"cannot be read ({why(error)})", where=path) from None
    if not parts:
        empty = not path.is_dir() or not any(path.iterdir())
        do = "run the stage that makes them: dvc repro" if empty else "name a folder below data/audio, data/shards or data/labels"
        raise FinserError("no shards", where=path, do=do)
    for number, part in enumerate(parts):
        if part.name != f"part-{number:05d}.parquet":
            raise FinserError("a shard is missing", where=path, expected=f"part-{number:05d}.parquet", found=part.name, do="dvc checkout")
    return parts


def open_part(part: Path) -> pq.ParquetFile:
    """Open a shard by memory map.

    Raises
    ------
    FinserError
        The file is no Parquet file, or is truncated.
    """
    with readable(part):
        return pq.ParquetFile(part, memory_map=True)


def read_records(path: Path, columns: Iterable[str], only: Only | None = None) -> Iterator[dict]:
    """Yield the rows of a shard or of a folder of shards, with the given `columns`, one row group in memory.

    `only` needs the columns clip_id and variant.

    Raises
    ------
    FinserError
        There are no shards, one is damaged, or one lacks a column.
    """
    names = list(columns)
    for part in find_parts(path):
        file = open_part(part)
        missing = set(names) - set(file.schema_arrow.names)
        if missing:
            raise FinserError(f"columns {sorted(missing)} are missing", where=part, do=AGAIN)
        for group in range(file.num_row_groups):
            yield from _read_group(file, group, names, part, only)


def _read_group(file: pq.ParquetFile, group: int, names: list[str], part: Path, only: Only | None) -> list[dict]:
    with readable(part):
        table = file.read_row_group(group, columns=names)
        return (table if only is None else only.rows(table)).to_pylist()


@contextmanager
def readable(part: Path) -> Iterator[None]:
    """Convert Arrow's errors about a damaged file to one line."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise FinserError(f"not a readable file ({why(error)})", where=part, do=AGAIN) from None
