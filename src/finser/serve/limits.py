"""Limits of the server: size, length, rate, and requests at a time. All that is here is pure but for the clock."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from finser.errors import FinserError

CLIENTS = 4096  # addresses that are remembered
BUSIEST_RATE = 48_000  # Hz; a recording has at most as many samples as one of the most seconds at this rate
DENSEST = 10  # windows that a moment may be in
SHORTEST_HOP = 0.1  # seconds


@dataclass(frozen=True)
class Limits:
    """What the server takes.

    Attributes
    ----------
    megabytes : float
        Body of a request, in 10^6 bytes.
    seconds : float
        Length of a recording.
    clip_seconds : float
        Length of a clip that is predicted as a whole, and of a window. Memory grows with it.
    files : int
        Files of a batch.
    running, waiting : int
        Requests that are computed at a time, and that are received or wait beside them.
    per_minute : int
        Requests of one client address.
    connections : int
        Open connections.
    patience, upload_seconds : float
        Seconds without a byte after which a client is given up, and seconds that an upload may take.
    """

    megabytes: float = 64.0
    seconds: float = 600.0
    clip_seconds: float = 60.0
    files: int = 20
    running: int = 1
    waiting: int = 16
    per_minute: int = 120
    connections: int = 700
    patience: float = 10.0
    upload_seconds: float = 60.0

    def __post_init__(self) -> None:
        """Refuse limits that let nothing through."""
        for name, value in vars(self).items():
            least = 0 if name == "waiting" else 1e-3
            if not least <= value < float("inf"):
                raise FinserError(f"no limit: {name} {value:g}", expected=f"{least:g} or more", do="choose another one")

    @property
    def bytes(self) -> int:
        """Most bytes of a body."""
        return round(self.megabytes * 1e6)

    def samples(self, sr: int) -> int:
        """Return the most samples per channel of a recording at `sr` Hz."""
        return round(self.seconds * min(sr, BUSIEST_RATE))


def check_windows(window: float, hop: float, limits: Limits) -> None:
    """Refuse windows whose computation takes much longer than the recording's.

    Parameters
    ----------
    window, hop : float
        Seconds.
    limits : Limits
        Those of the server.

    Raises
    ------
    FinserError
        A window is longer than a clip may be, or windows overlap too densely.
    """
    if not 0 < window <= limits.clip_seconds:
        raise FinserError("window", expected=f"above 0, at most {limits.clip_seconds:g} s", found=f"{window:g} s")
    least = max(SHORTEST_HOP, window / DENSEST)
    if not least <= hop <= window:
        raise FinserError("hop", expected=f"{least:g} to {window:g} s", found=f"{hop:g} s")


class Rate:
    """Requests per client address: a bucket of a minute's requests, which is filled up evenly."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute, self.clock = per_minute, clock
        self.buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> requests that are left, and when

    def wait(self, client: str) -> float:
        """Count a request; return 0, or, if it is one too many, the seconds until the next one is taken."""
        now = self.clock()
        left, then = self.buckets.pop(client, (float(self.per_minute), now))
        left = min(self.per_minute, left + (now - then) * self.per_minute / 60)
        taken = left >= 1
        self.buckets[client] = (left - 1 if taken else left, now)
        if len(self.buckets) > CLIENTS:
            self.buckets.popitem(last=False)
        return 0.0 if taken else (1 - left) * 60 / self.per_minute


class Slots:
    """Places for requests whose bodies are read, which wait, or which are computed."""

    def __init__(self, count: int) -> None:
        self.count, self.taken = count, 0

    @property
    def full(self) -> bool:
        """Whether no place is free."""
        return self.taken >= self.count

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take a place, and give it back."""
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
