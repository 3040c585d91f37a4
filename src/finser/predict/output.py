"""Predictions as text or files: a table for people, CSV, JSON lines, Parquet, RTTM, and an audformat-like index."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from finser.predict.predictor import Prediction, columns, record
from finser.workers import in_batches

DIGITS = 4  # of numbers in CSV and RTTM
ROWS = 1024  # of a Parquet file in memory


def table(predictions: Iterable[Prediction], file: IO[str], classes: Sequence[str]) -> None:
    """Write a line per prediction for people: file, time, emotion, the three largest probabilities, and warnings below it."""
    for one in predictions:
        print(f"{one.path or '(samples)'}  {in_words(one)}", file=file, flush=True)
        for line in one.warnings:
            print(f"    warning: {line}", file=file, flush=True)


def in_words(one: Prediction) -> str:
    """Return time, emotion and the three largest probabilities of a prediction."""
    ranked = sorted(one.probabilities.items(), key=lambda item: -item[1])[:3]
    shares = ", ".join(f"{name} {value:.2f}" for name, value in ranked)
    emotion = f"unsure ({one.emotion})" if one.unsure else one.emotion
    return f"{one.start:g}-{one.end:g} s  {emotion}  [{shares}]"


def json_lines(predictions: Iterable[Prediction], file: IO[str], classes: Sequence[str]) -> None:
    """Write a JSON object per line: path, start, end, emotion, confidence, unsure, probabilities, warnings."""
    for one in predictions:
        print(json.dumps(facts(one), ensure_ascii=False), file=file, flush=True)


def facts(one: Prediction) -> dict[str, Any]:
    """Return a prediction as values of JSON."""
    names = ("path", "start", "end", "emotion", "confidence", "unsure", "probabilities")
    return {**{name: getattr(one, name) for name in names}, "warnings": list(one.warnings)}


def comma_separated(predictions: Iterable[Prediction], file: IO[str], classes: Sequence[str]) -> None:
    """Write a row per prediction: path, start, end, emotion, confidence, unsure, a column per class, warnings."""
    _rows((_rounded(record(one)) for one in predictions), file, columns(classes))


def audformat(predictions: Iterable[Prediction], file: IO[str], classes: Sequence[str]) -> None:
    """Write a segmented table as audformat stores it: file, start and end as time spans, emotion, confidence."""
    _rows(
        (
            {"file": one.path, "start": _span(one.start), "end": _span(one.end), "emotion": one.emotion, "confidence": one.confidence}
            for one in predictions
        ),
        file,
        ["file", "start", "end", "emotion", "confidence"],
    )


def rttm(predictions: Iterable[Prediction], file: IO[str], classes: Sequence[str]) -> None:
    """Write RTTM lines (NIST RT-09): the emotion is in the field of the speaker's name, its probability in that of the confidence."""
    for one in predictions:
        name = re.sub(r"\s", "_", str(Path(one.path).with_suffix(""))) if one.path else "samples"
        times = f"{one.start:.3f} {one.end - one.start:.3f}"
        print(f"SPEAKER {name} 1 {times} <NA> <NA> {one.emotion} {one.confidence:.{DIGITS}f} <NA>", file=file, flush=True)


def parquet(predictions: Iterable[Prediction], path: Path, classes: Sequence[str]) -> None:
    """Write the columns of :func:`comma_separated` to a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"path": pa.string(), "emotion": pa.string(), "unsure": pa.bool_(), "warnings": pa.string()}
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in columns(classes)])
    with pq.ParquetWriter(path, schema) as writer:
        rows = ({**record(one), "path": one.path.encode("utf-8", "backslashreplace").decode()} for one in predictions)
        for some in in_batches(rows, ROWS):
            writer.write_table(pa.Table.from_pylist(list(some), schema))


TEXT: dict[str, Callable[[Iterable[Prediction], IO[str], Sequence[str]], None]] = {
    "table": table,
    "csv": comma_separated,
    "jsonl": json_lines,
    "rttm": rttm,
    "audformat": audformat,
}


def _rows(rows: Iterator[dict], file: IO[str], names: Sequence[str]) -> None:
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(row)
        file.flush()


def _rounded(row: dict) -> dict:
    return {name: round(value, DIGITS) if isinstance(value, float) else value for name, value in row.items()}


def _span(seconds: float) -> str:
    """Return a time span as pandas writes it: ``0 days 00:01:02.500000``."""
    whole, micro = divmod(round(seconds * 1_000_000), 1_000_000)
    days, rest = divmod(whole, 86_400)
    return f"{days} days {rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}" + (f".{micro:06d}" if micro else "")
