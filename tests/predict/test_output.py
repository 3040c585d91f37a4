"""Formats, read back by other programs' readers."""

import csv
import io
import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from finser.predict import output
from finser.predict.predictor import Prediction, columns

FOUND = [
    Prediction("d/a b.wav", 0.0, 1.5, "sad", 0.75, False, {"angry": 0.25, "sad": 0.75}, ()),
    Prediction("d/é,x.wav", 90_061.25, 90_064.0, "angry", 0.51239, True, {"angry": 0.51239, "sad": 0.48761}, ("noisier", "longer")),
]
CLASSES = ("angry", "sad")


def text(form: str) -> str:
    file = io.StringIO()
    output.TEXT[form](iter(FOUND), file, CLASSES)
    return file.getvalue()


def test_csv():
    first, second = csv.DictReader(io.StringIO(text("csv")))
    assert first["path"] == "d/a b.wav" and (first["sad"], first["unsure"], first["warnings"]) == ("0.75", "False", "")
    assert second["path"] == "d/é,x.wav" and (second["angry"], second["warnings"]) == ("0.5124", "noisier; longer")


def test_json_lines():
    first, second = map(json.loads, text("jsonl").splitlines())
    assert first["probabilities"] == {"angry": 0.25, "sad": 0.75} and second["warnings"] == ["noisier", "longer"]


def test_rttm():
    first, second = text("rttm").splitlines()
    assert first.split() == ["SPEAKER", "d/a_b", "1", "0.000", "1.500", "<NA>", "<NA>", "sad", "0.7500", "<NA>"]
    assert second.split()[3:5] == ["90061.250", "2.750"]


def test_audformat_spans_are_those_of_pandas():
    table = pd.read_csv(io.StringIO(text("audformat")))
    assert list(table.columns) == ["file", "start", "end", "emotion", "confidence"]
    assert list(pd.to_timedelta(table["start"]).dt.total_seconds()) == [one.start for one in FOUND]
    assert list(table["end"]) == [str(pd.Timedelta(seconds=one.end)) for one in FOUND]


def test_parquet(tmp_path):
    output.parquet(iter(FOUND), tmp_path / "a.parquet", CLASSES)
    first, second = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert first["confidence"] == 0.75 and second["angry"] == 0.51239


def test_a_table_for_people():
    lines = text("table").splitlines()
    assert lines[0] == "d/a b.wav  0-1.5 s  sad  [sad 0.75, angry 0.25]"
    assert lines[1] == "d/é,x.wav  90061.2-90064 s  unsure (angry)  [angry 0.51, sad 0.49]" and lines[2] == "    warning: noisier"


@pytest.mark.parametrize("form", sorted(output.TEXT))
def test_each_line_appears_at_once(form):
    """Live input is read line by line."""
    file = io.StringIO()
    seen = []

    def later():
        for one in FOUND:
            seen.append(len(file.getvalue()))
            yield one

    output.TEXT[form](later(), file, CLASSES)
    assert seen[1] > 0


def test_without_a_prediction_a_table_has_its_columns(tmp_path):
    file = io.StringIO()
    output.comma_separated(iter(()), file, CLASSES)
    assert file.getvalue() == ",".join(columns(CLASSES)) + "\n"
    output.parquet(iter(()), tmp_path / "a.parquet", CLASSES)
    assert pq.read_table(tmp_path / "a.parquet").column_names == columns(CLASSES)
