"""Readers of result files: JSON with required keys, columns of Parquet, training curves of CSV."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from finser.errors import FinserError
from finser.files import read_json, why


@dataclass(frozen=True)
class Curve:
    """A training history: columns of numbers of equal length, NaN for empty cells. The first column counts steps or epochs."""

    path: Path
    columns: Mapping[str, tuple[float, ...]]


def read_figures(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """Read a JSON file that must have some keys.

    Raises
    ------
    FinserError
        The file is missing, is not readable, or lacks one of `keys`.
    """
    return checked(read_json(path), keys, path)


def checked(figures: dict[str, Any], keys: tuple[str, ...], path: Path) -> dict[str, Any]:
    """Return an object of a JSON file after a check that it has some keys; errors as in :func:`read_figures`."""
    missing = [key for key in keys if key not in figures]
    if missing:
        raise FinserError(f"lacks the key '{missing[0]}'", where=path, do="run its evaluation again")
    return figures


def read_history(path: Path) -> Curve:
    """Read a CSV file of numbers with a header; empty cells and text become NaN."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
            names = list(rows[0]) if rows else []
    except FileNotFoundError:
        raise _missing(path) from None
    return Curve(path, {name: tuple(_number(row[name]) for row in rows) for name in names})


def read_columns(path: Path, columns: list[str]) -> pa.Table:
    """Read columns of a Parquet file.

    Raises
    ------
    FinserError
        The file is missing, is not readable, or lacks a column.
    """
    try:
        return pq.read_table(path, columns=columns)
    except FileNotFoundError:
        raise _missing(path) from None
    except (pa.ArrowException, OSError) as error:
        raise FinserError(f"not readable ({why(error)})", where=path, do="delete it and run again") from None


def _number(text: str | None) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return math.nan


def _missing(path: Path) -> FinserError:
    return FinserError("no such file", where=path, do="run the stage that makes it: dvc repro")
