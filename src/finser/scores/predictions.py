"""Columns of predictions.parquet: a row per clip and seed, with a probability for each class."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from finser.errors import FinserError

PROBABILITY = "p_"


def probability_columns(classes: Sequence[str]) -> list[str]:
    """Return the names of the columns with the probabilities of the classes, in their order."""
    return [f"{PROBABILITY}{emotion}" for emotion in classes]


def check_classes(path: Path, classes: Sequence[str], do: str) -> None:
    """Raise an error if a table of predictions has probabilities of other classes; whoever reads it says if it is not readable.

    Raises
    ------
    FinserError
        The columns are those of other classes, or have another order.
    """
    with suppress(OSError, pa.ArrowException):
        found = [name.removeprefix(PROBABILITY) for name in pq.read_schema(path).names if name.startswith(PROBABILITY)]
        if found != list(classes):
            raise FinserError("predictions of other emotions", where=path, expected=", ".join(classes), found=", ".join(found), do=do)
