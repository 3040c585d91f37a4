"""Tables as text: CSV, TSV and Parquet, with the lines of their rows."""

import csv
import io
from unicodedata import normalize

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finser.corpora.tables.reading import COLUMNS, named, read_table
from finser.errors import FinserError

ROWS = [["path", "speaker", "emotion"], ["a.wav", "1", "angry"], ["b.wav", "2", "sad"]]


def written(path, rows, delimiter=",", encoding="utf-8"):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


@pytest.mark.parametrize(
    ("name", "delimiter", "encoding"), [("t.csv", ",", "utf-8"), ("t.CSV", ",", "utf-8-sig"), ("t.tsv", "\t", "utf-8")]
)
def test_text_is_read_with_its_lines(tmp_path, name, delimiter, encoding):
    rows = read_table(written(tmp_path / name, ROWS, delimiter, encoding))
    assert rows.cells == {"path": ["a.wav", "b.wav"], "speaker": ["1", "2"], "emotion": ["angry", "sad"]}
    assert rows.lines == [2, 3] and rows.unused == () and rows.column("sex") == ["", ""]


def test_lines_count_line_breaks_in_cells_and_empty_lines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('path,speaker,emotion,sentence\na.wav,1,sad,"two\nlines"\n\n ,,,\nb.wav,2,sad,one\n')
    rows = read_table(path)
    assert rows.lines == [2, 5, 6] and rows.column("sentence") == ["two\nlines", "", "one"]


def test_parquet_has_numbers_of_rows_and_text_of_numbers(tmp_path):
    table = pa.table(
        {"path": ["a.wav", "b.wav"], "speaker": [1, 2], "emotion": pa.array(["sad", None]).dictionary_encode(), "end": [1.5, float("nan")]}
    )
    pq.write_table(table, tmp_path / "t.parquet")
    rows = read_table(tmp_path / "t.parquet")
    assert rows.cells == {"path": ["a.wav", "b.wav"], "speaker": ["1", "2"], "emotion": ["sad", ""], "end": ["1.5", ""]}
    assert rows.lines == [1, 2]


def test_parquet_of_pandas_has_floats_beside_empty_cells(tmp_path):
    columns = {
        "path": ["a.wav", "b.wav"],
        "speaker": [1.0, None],
        "emotion": ["sad", "sad"],
        "fold": [1.0, float("nan")],
        "start": [0.25, 3.0],
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    rows = read_table(tmp_path / "t.parquet")
    assert (rows.column("speaker"), rows.column("fold"), rows.column("start")) == (["1", ""], ["1", ""], ["0.25", "3"])


def test_other_columns_of_parquet_are_not_read(tmp_path, monkeypatch):
    table = pa.table({"path": ["a.wav"], "speaker": ["1"], "emotion": ["sad"], "embedding": [[0.5] * 8]})
    pq.write_table(table, tmp_path / "t.parquet")
    read = []
    whole = pq.ParquetFile.read
    monkeypatch.setattr(pq.ParquetFile, "read", lambda file, columns: read.append(columns) or whole(file, columns))
    assert read_table(tmp_path / "t.parquet").unused == ("embedding",) and read == [["path", "speaker", "emotion"]]


def test_other_names_of_columns_and_columns_that_are_not_used(tmp_path):
    path = written(tmp_path / "t.csv", [["file", "speaker", "label", "emotion", "note"], ["a.wav", "1", "ang", "x", "y"]])
    rows = read_table(path, {"path": "file", "emotion": "label"})
    assert rows.cells == {"path": ["a.wav"], "speaker": ["1"], "emotion": ["ang"]} and rows.unused == ("emotion", "note")


def test_cells_are_stripped_and_composed(tmp_path):
    """Otherwise one speaker is two, on both sides of a split."""
    rows = read_table(written(tmp_path / "t.csv", [ROWS[0], [normalize("NFD", "é.wav"), normalize("NFD", " José "), "sad"]]))
    assert rows.column("speaker") == ["José"] and rows.column("path") == ["é.wav"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.xlsx", b"x", "t.xlsx: unknown kind of table; expected a file that ends in .csv, .tsv or .parquet"),
        ("t.csv", b"", "no columns 'path', 'speaker', 'emotion'; the first line is empty"),
        ("t.csv", b"path,speaker,emotion\n", "has no row"),
        ("t.csv", b"path;speaker;emotion\na;b;c\n", "another delimiter; expected commas between cells; found ';'"),
        ("t.csv", b"path,speaker,label\na,b,c\n", "no column 'emotion'; found path, speaker, label"),
        (
            "t.csv",
            b"path,speaker,Emotion\na,b,c\n",
            "columns 'Emotion'; expected emotion; rename them, or run: finser corpora add NAME TABLE --column emotion=Emotion",
        ),
        ("t.csv", b"path,speaker,emotion,Split\na,b,c,test\n", "columns 'Split'; expected split; rename them"),
        ("t.csv", b"Path,SPEAKER,emotion\na,b,c\n", "--column path=Path --column speaker=SPEAKER"),
        ("t.csv", b"path,path,speaker,emotion\na,b,c,d\n", "two columns of one name: 'path'"),
        (
            "t.csv",
            b"path,speaker,emotion\na,b\nc,d,e\nf,g,h,i\n",
            "another number of cells than names in the first line: lines 2 and 4; expected 3",
        ),
        ("t.csv", b"path,speaker,emotion\n\xff,b,c\n", "save it as UTF-8"),
        ("t.csv", b'path,speaker,emotion\n"a,b,c\n', "not readable as a table"),
        ("t.parquet", b"PAR1", "not readable as a table"),
    ],
)
def test_faults_are_one_line(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FinserError) as error:
        read_table(tmp_path / name)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_missing_table_and_a_column_that_is_named_and_missing(tmp_path):
    with pytest.raises(FinserError, match="no such table"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(FinserError, match="no column 'gender'"):
        read_table(written(tmp_path / "t.csv", ROWS), {"sex": "gender"})


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=30, unique=True))
def test_lines_are_named_up_to_ten(lines):
    text = named(lines)
    said = text.replace(",", "").replace(" and", "").split()
    assert said[1:11] == [str(line) for line in lines[:10]] and ("more" in text) == (len(lines) > 10)
    assert said[0] == ("line" if len(lines) == 1 else "lines")


cells = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)


@given(st.lists(st.tuples(*[cells] * len(COLUMNS)).filter(any), min_size=1, max_size=8))
def test_any_text_comes_back(tmp_path_factory, rows):
    path = written(tmp_path_factory.mktemp("any") / "t.csv", [list(COLUMNS), *map(list, rows)])
    found = read_table(path)
    for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=True):
        assert found.column(name) == [normalize("NFC", cell.strip()) for cell in column]
