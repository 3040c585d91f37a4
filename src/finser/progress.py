"""Long work shows a bar on a terminal and plain lines in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.progress import track as rich_track

Item = TypeVar("Item")
LOG_EVERY = 10.0  # seconds between two lines in a log


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items`, showing how far the work named `what` has come; `total` is taken from ``len(items)`` if it can be."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)
    if sys.stderr.isatty():
        from rich.console import Console

        yield from rich_track(items, description=what, total=total, console=Console(stderr=True))
        return
    yield from _track_in_log(items, what, total)


def _track_in_log(items: Iterable[Item], what: str, total: int | None) -> Iterator[Item]:
    said = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - said >= LOG_EVERY:
            said = time.monotonic()
            say(f"{what}: {done}" + (f" of {total}" if total else ""))
        yield item


def say(line: str) -> None:
    """Print one plain line for the log or the terminal (standard error, so that standard output stays data)."""
    print(line, file=sys.stderr, flush=True)
