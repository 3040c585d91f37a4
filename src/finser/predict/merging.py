"""Segments of a long recording: neighbouring windows of one emotion as one."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from finser.predict.predictor import Prediction


def merged(windows: Iterable[Prediction]) -> Iterator[Prediction]:
    """Yield segments: windows in a row with one emotion, of which either all are unsure or none is.

    Windows overlap. The border of two segments is in the middle of the overlap of the windows on its two sides, so that segments neither
    overlap nor leave gaps. The probabilities of a segment are the means over its windows.
    """
    held: list[Prediction] = []
    begin = 0.0
    for window in windows:
        if held and _kind(window) != _kind(held[0]):
            same = window.path == held[0].path
            end = (window.start + held[-1].end) / 2 if same else held[-1].end
            yield _segment(held, begin, end)
            begin, held = end if same else window.start, []
        elif not held:
            begin = window.start
        held.append(window)
    if held:
        yield _segment(held, begin, held[-1].end)


def _kind(window: Prediction) -> tuple[str, str, bool]:
    return window.path, window.emotion, window.unsure


def _segment(windows: Sequence[Prediction], start: float, end: float) -> Prediction:
    means = {name: sum(window.probabilities[name] for window in windows) / len(windows) for name in windows[0].probabilities}
    lines = [line for window in windows for line in window.warnings]
    kinds = Counter(line.split(":")[0] for line in lines)
    firsts = {line.split(":")[0]: line for line in reversed(lines)}
    found = tuple(f"{firsts[kind]} (in {n} of {len(windows)} windows)" for kind, n in kinds.items())
    emotion = windows[0].emotion
    return replace(windows[0], start=round(start, 3), end=round(end, 3), confidence=means[emotion], probabilities=means, warnings=found)
