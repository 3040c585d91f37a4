"""Long work shows a bar on a terminal and plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

from rich.filesize import decimal
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


@contextmanager
def meter(what: str, total: int | None, done: int = 0) -> Iterator[Callable[[int], object]]:
    """Yield a function that is to be told of bytes as they come, and shows how many there are, their rate, and the time left.

    Parameters
    ----------
    what : str
        Name of the work.
    total : int, optional
        Bytes in all; None if that is not known.
    done : int, optional
        Bytes that are there already.
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=total, completed=done)
            yield lambda count: bar.advance(task, count)
        return
    log = _LogMeter(what, total, done)
    yield log.came
    say(log.line())


class _LogMeter:
    """Counts bytes and says a line every :data:`LOG_EVERY` seconds; threads may share it."""

    def __init__(self, what: str, total: int | None, done: int) -> None:
        self.what, self.total, self.done, self.new = what, total, done, 0
        self.began = self.said = time.monotonic()
        self.lock = Lock()

    def came(self, count: int) -> None:
        """Count bytes that have come, and say so if the last line is old."""
        with self.lock:
            self.done += count
            self.new += count
            if time.monotonic() - self.said >= LOG_EVERY:
                self.said = time.monotonic()
                say(self.line())

    def line(self) -> str:
        """What there is to say now."""
        return rate_line(self.what, self.done, self.total, self.new / max(time.monotonic() - self.began, 1e-3))


def rate_line(what: str, done: int, total: int | None, rate: float) -> str:
    """One line on `done` bytes of `total` (None: not known) at `rate` bytes per second, and the time left."""
    parts = [f"{what}: {decimal(done)}" + (f" of {decimal(total)}" if total else ""), f"{decimal(max(round(rate), 0))}/s"]
    if total and total > done and rate > 0:
        minutes, seconds = divmod(round((total - done) / rate), 60)
        parts.append(f"{minutes}:{seconds:02d} left")
    return ", ".join(parts)


def say(line: str) -> None:
    """Print one plain line for the log or the terminal (standard error, so that standard output stays data)."""
    print(line, file=sys.stderr, flush=True)
