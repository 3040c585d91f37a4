"""How numbers and cells are written."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from finser.report.fin_figures import nines
from finser.report.tables import cell, code, gain, r2, rate, seconds, table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.999874, ".99987"),
        (1.0, "1.00000"),
        (-0.5, "-.50000"),
        (-8.4, "-8.40000"),
        (-362.51, "-362.5"),
        (-31949.3, "-3.2e+04"),
        (None, "–"),
        (0.0, ".00000"),
    ],
)
def test_r2(value, text):
    assert r2(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.6124, ".612"), (1.0, "1.000"), (0.0, ".000"), (None, "–"), (math.nan, "–")])
def test_rate(value, text):
    assert rate(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.041, "+.041"), (-0.041, "-.041"), (0.0, "+.000"), (None, "–")])
def test_gain(value, text):
    assert gain(value) == text


def test_seconds():
    assert seconds(1234.56) == "1,234.6"


@settings(max_examples=50)
@given(st.lists(st.lists(st.text(max_size=20), min_size=3, max_size=3), max_size=4))
def test_whatever_is_in_a_cell_the_table_keeps_its_shape(rows):
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(table(["a", "b", "c"], rows))
    assert html.count("<tr>") == 1 + len(rows)
    assert html.count("<td") == 3 * len(rows)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1).filter(str.strip))
def test_code_shows_its_text_in_a_table(text):
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(table(["file"], [[code(text)]]))
    assert html.count("<code>") == 1 or "``" in text
    assert html.count("<td") == 1


def test_cell_is_one_line():
    assert cell("a\n b | c") == "a b \\| c"


def test_nines_puts_every_nine_at_one_height_and_holds_the_rest():
    assert nines([0.9, 0.99, 0.999]) == pytest.approx([1, 2, 3])
    assert nines([-5, 0]) == pytest.approx([0, 0])
    assert math.isfinite(nines([1.0])[0])
