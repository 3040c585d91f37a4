"""Segments of a long recording: neighbouring windows of one emotion as one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from finser.predict.predictor import Prediction


def merged(windows: Iterable[Prediction]) -> Iterator[Prediction]:
    """Yield segments: windows in a row with one emotion, of which either all are unsure or none is.

    Windows overlap. The border of two segments is in the middle of the overlap of the windows on its two sides, so that segments neither
    overlap nor leave gaps. The probabilities of a segment are the means over its windows.
    """
    held: Held | None = None
    for window in windows:
        if held is None:
            held = Held(window, window.start)
        elif _kind(window) != _kind(held.last):
            same = window.path == held.last.path
            end = (window.start + held.last.end) / 2 if same else held.last.end
            yield held.segment(end)
            held = Held(window, end if same else window.start)
        held.add(window)
    if held is not None:
        yield held.segment(held.last.end)


@dataclass
class Held:
    """A segment that is not complete: sums over its windows, whose number has no limit.

    Attributes
    ----------
    last : Prediction
        The latest window.
    begin : float
        Where the segment begins, in seconds.
    count : int
        Number of its windows.
    sums : dict
        Sum of the probabilities of each class.
    warned : dict
        Kind of warning -> number of windows, and the first line.
    """

    last: Prediction
    begin: float
    count: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    warned: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, window: Prediction) -> None:
        """Add a window."""
        self.last, self.count = window, self.count + 1
        for name, value in window.probabilities.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        for line in window.warnings:
            n, first = self.warned.get(line.split(":")[0], (0, line))
            self.warned[line.split(":")[0]] = n + 1, first

    def segment(self, end: float) -> Prediction:
        """Return the segment up to `end`, in seconds."""
        means = {name: value / self.count for name, value in self.sums.items()}
        found = tuple(f"{first} (in {n} of {self.count} windows)" for n, first in self.warned.values())
        start, confidence = round(self.begin, 3), means[self.last.emotion]
        return replace(self.last, start=start, end=round(end, 3), confidence=confidence, probabilities=means, warnings=found)


def _kind(window: Prediction) -> tuple[str, str, bool]:
    return window.path, window.emotion, window.unsure
