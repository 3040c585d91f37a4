"""Segments of windows."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from finser.predict.merging import merged
from finser.predict.predictor import Prediction


def window(start, length, emotion, unsure=False, path="a"):
    other = "sad" if emotion == "angry" else "angry"
    return Prediction(path, start, start + length, emotion, 0.75, unsure, {emotion: 0.75, other: 0.25}, (f"w{start}",))


@given(st.lists(st.tuples(st.sampled_from(["angry", "sad"]), st.booleans()), min_size=1, max_size=30), st.integers(1, 3))
def test_segments_have_no_gaps_and_differ_from_their_neighbours(kinds, hop):
    windows = [window(hop * number, 3, emotion, unsure) for number, (emotion, unsure) in enumerate(kinds)]
    found = list(merged(windows))
    assert found[0].start == 0 and found[-1].end == windows[-1].end
    assert all(a.end == b.start and (a.emotion, a.unsure) != (b.emotion, b.unsure) for a, b in zip(found, found[1:], strict=False))
    assert sum(len(one.warnings) for one in found) == len(windows)
    assert all(abs(sum(one.probabilities.values()) - 1) < 1e-9 and one.start < one.end for one in found)


def test_a_border_is_in_the_middle_of_the_overlap():
    first, second = merged([window(0, 3, "sad"), window(1, 3, "sad"), window(2, 3, "angry")])
    assert (first.start, first.end, second.start, second.end) == (0, 3, 3, 5)


def test_a_warning_of_several_windows_is_one_line():
    windows = [replace(window(number, 3, "sad"), warnings=(f"quiet: -{number} dB",) if number else ()) for number in range(4)]
    (found,) = merged(windows)
    assert found.warnings == ("quiet: -1 dB (in 3 of 4 windows)",)


def test_files_are_apart():
    found = list(merged([window(0, 3, "sad"), window(0, 3, "sad", path="b")]))
    assert [(one.path, one.start, one.end) for one in found] == [("a", 0, 3), ("b", 0, 3)]
