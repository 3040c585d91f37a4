"""`finser inspect`: the content of shards, or of a stored representation, as lines of text. No audio is played."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from finser.audio.frames import DIMENSIONS, SR, to_float
from finser.audio.shards import AudioRow, LabelRow, find_parts, open_part, read_audio, read_labels, read_records
from finser.errors import FinserError
from finser.features import store
from finser.tools.table import align, text


def describe(path: Path, n_rows: int) -> Iterator[str]:
    """Yield lines with the first rows of a shard, of a folder of shards or of a stored representation, and totals of all rows.

    Parameters
    ----------
    path : Path
        part-NNNNN.parquet of audio or labels, part-00000.arrow of a representation, or a folder of such files.
    n_rows : int
        Maximum number of rows to show.

    Raises
    ------
    FinserError
        There are no shards, one is truncated, or one holds other data.
    """
    folder = path.parent if path.name == store.FILE else path
    if (folder / store.FILE).is_file():
        yield f"{path}: stored representation"
        yield from _stored(folder, n_rows)
        return
    parts = find_parts(path)
    kinds = [content(part) for part in parts]
    if len(set(kinds)) > 1:
        raise FinserError(
            "audio and labels in one folder", where=path, found=f"{Counter(kinds)['audio']} shards of audio among {len(parts)}"
        )
    yield f"{path}: {kinds[0]}"
    yield from (_audio if kinds[0] == "audio" else _labels)(path, n_rows)
    yield storage(parts)


def content(part: Path) -> str:
    """Return the content of a shard: ``audio`` or ``labels``.

    Raises
    ------
    FinserError
        The file is no shard of this project.
    """
    schema = open_part(part).schema_arrow
    kind = (schema.metadata or {}).get(b"content", b"").decode(errors="replace")
    if kind not in ("audio", "labels"):
        raise FinserError(
            "no shard of finser",
            where=part,
            expected="audio or labels, from data/audio, data/shards or data/labels",
            found=f"a Parquet file of {len(schema.names)} columns: {', '.join(schema.names[:6])}{', ...' * (len(schema.names) > 6)}",
        )
    return kind


def storage(parts: Sequence[Path]) -> str:
    """Return a line with the number of shards, their bytes, and their rows per group."""
    files = [open_part(part).metadata for part in parts]
    sizes = [file.row_group(group).num_rows for file in files for group in range(file.num_row_groups)]
    groups = f"{max(sizes, default=0)}" + (f" (the last {sizes[-1]})" if sizes and sizes[-1] != max(sizes) else "")
    return f"shards {len(parts)}, bytes {sum(part.stat().st_size for part in parts):,}, rows per group {groups}"


def level_db(amplitude: float) -> float:
    """Return an amplitude in dB of full scale: 0 dBFS is amplitude 1, -inf is silence."""
    return 20 * float(np.log10(amplitude)) if amplitude > 0 else -np.inf


def _audio(path: Path, n_rows: int) -> Iterator[str]:
    header = ("clip_id", "speaker", "emotion", "variant", "seconds", "peak dBFS", "level dBFS", "draw")
    yield from align(header, map(_audio_cells, islice(read_audio(path), n_rows)))
    clips, variants, speakers, samples = set(), Counter(), set(), 0
    for record in read_records(path, ("clip_id", "variant", "speaker", "n_samples")):
        clips.add(record["clip_id"])
        variants[record["variant"]] += 1
        speakers.add(record["speaker"])
        samples += record["n_samples"]
    yield from _rest(variants.total(), n_rows)
    counts = ", ".join(f"{name} {count}" for name, count in variants.items())
    yield f"rows {variants.total()} ({counts}), clips {len(clips)}, speakers {len(speakers)}, minutes {samples / SR / 60:.2f}"


def _audio_cells(row: AudioRow) -> tuple[object, ...]:
    y = to_float(row.audio).astype(np.float64)
    peak = level_db(float(np.max(np.abs(y), initial=0.0)))
    level = level_db(float(np.sqrt(np.mean(np.square(y)))) if len(y) else 0.0)
    draw = " ".join(f"{name}={text(value)}" for name, value in row.draw.items())
    return row.clip_id, row.speaker, row.emotion, row.variant, f"{len(y) / SR:.3f}", f"{peak:.1f}", f"{level:.1f}", draw


def _labels(path: Path, n_rows: int) -> Iterator[str]:
    shown, rows, frames = [], 0, 0
    figures = dict.fromkeys(DIMENSIONS, (np.inf, 0.0, -np.inf))  # min, sum, max
    for row in read_labels(path):
        rows, frames = rows + 1, frames + _frames(row)
        figures = {name: _extended(figures[name], values) for name, values in row.features.items()}
        if len(shown) < n_rows:
            shown.append((row.clip_id, row.variant, _frames(row)))
    yield from align(("clip_id", "variant", "frames"), shown)
    yield from _rest(rows, n_rows)
    table = [(name, dim, low, total / max(1, frames * dim), high) for (name, dim), (low, total, high) in _pairs(figures)]
    yield from align(("feature", "values", "min", "mean", "max"), table)
    yield f"rows {rows}, frames {frames}"


def _stored(folder: Path, n_rows: int) -> Iterator[str]:
    shown, rows, frames, dim, figure = [], 0, 0, 0, (np.inf, 0.0, -np.inf)
    for row in store.read(folder):
        rows, frames, dim = rows + 1, frames + len(row.values), row.values.shape[1]
        figure = _extended(figure, row.values)
        if len(shown) < n_rows:
            shown.append((row.clip_id, row.speaker, row.emotion, row.variant, len(row.values)))
    yield from align(("clip_id", "speaker", "emotion", "variant", "frames"), shown)
    yield from _rest(rows, n_rows)
    low, total, high = figure
    yield from align(("values", "min", "mean", "max"), [(dim, low, total / max(1, frames * dim), high)])
    yield f"rows {rows}, frames {frames}, bytes {(folder / store.FILE).stat().st_size:,}"


def _frames(row: LabelRow) -> int:
    return len(row.features["rms"])


def _pairs(figures: dict[str, tuple]) -> Iterator[tuple]:
    return zip(DIMENSIONS.items(), figures.values(), strict=True)


def _extended(figure: tuple[float, float, float], values: np.ndarray) -> tuple[float, float, float]:
    """Update min, sum and max with `values`; a NaN stays."""
    low, total, high = figure
    return (
        float(np.minimum(low, values.min(initial=np.inf))),
        total + float(values.sum(dtype=np.float64)),
        float(np.maximum(high, values.max(initial=-np.inf))),
    )


def _rest(rows: int, shown: int) -> Iterator[str]:
    if rows > shown:
        yield f"... and {rows - shown} more rows"
    yield ""
