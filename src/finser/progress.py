"""Progress of long work: a bar on a terminal, drawn by rich, and one plain line every 10 seconds in a log.

The lines are written here, because rich writes nothing into a log before the work ends, and tqdm draws a bar with carriage returns there.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

from rich.filesize import decimal

Item = TypeVar("Item")
LOG_EVERY = 10.0  # seconds between two lines in a log


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items` and show the progress of the work named `what`; `total` is ``len(items)`` by default, if items have a length."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track as rich_track

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
    """Yield a function to call with the number of bytes received; it shows their sum, their rate, and the time left.

    Parameters
    ----------
    what : str
        Name of the work.
    total : int, optional
        Bytes in all; None if unknown.
    done : int, optional
        Bytes of an earlier run.
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
    yield log.add
    say(log.line())


class _LogMeter:
    """Counts bytes and says a line every :data:`LOG_EVERY` seconds; threads may share it."""

    def __init__(self, what: str, total: int | None, done: int) -> None:
        self.what, self.total, self.done, self.new = what, total, done, 0
        self.began = self.said = time.monotonic()
        self.lock = Lock()

    def add(self, count: int) -> None:
        """Add bytes that were received, and write a line if the last one is 10 seconds old."""
        with self.lock:
            self.done += count
            self.new += count
            if time.monotonic() - self.said >= LOG_EVERY:
                self.said = time.monotonic()
                say(self.line())

    def line(self) -> str:
        """The line for now."""
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
