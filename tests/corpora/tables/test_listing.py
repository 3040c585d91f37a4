"""Checks of the rows of a table."""

import csv
from unicodedata import normalize

import pyarrow.parquet as pq
import pytest

from finser import layout
from finser.config.sections.fetch import Table
from finser.corpora.tables.labels import emotion_of, proposed, unmapped
from finser.corpora.tables.listing import SCHEMA, check_table, number_of_rows, stored
from finser.emotions import EMOTIONS
from finser.errors import FinserError

HEAD = ["path", "speaker", "emotion", "sex", "start", "end", "split", "fold"]


@pytest.fixture
def table(tmp_path):
    """Write a table and, empty, the files that it names and that are not called missing; nothing opens them."""

    def write(*rows, head=HEAD, name="t.csv"):
        for row in rows:
            path = tmp_path / (row[0] or "none")
            if "missing" not in row[0] and not row[0].startswith(("/", "..")):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *[[*row, *[""] * (len(head) - len(row))] for row in rows]])
        return tmp_path / name

    return write


def checked(path, root=None, classes=EMOTIONS, **section):
    return check_table(path, root or path.parent, Table(**section), "own", classes)


def faults(path, **section):
    with pytest.raises(FinserError) as error:
        checked(path, **section)
    return [line.removeprefix(f"{path}: ") for line in str(error.value).splitlines()]


def test_a_row_becomes_a_clip(table):
    path = table(["wav/a.wav", "7", "angry", "F", "1.5", "2.25", "", "3"], ["wav/b.MP3", "8", "sad", "", "", "", "", ""])
    found = checked(path, language="de")
    first, second = found.clips.to_pylist()
    assert first == {
        "path": "wav/a.wav", "clip": "wav/a@1.500-2.250", "speaker": "7", "label": "angry", "sex": "female", "language": "de",
        "sentence": "", "intensity": "", "start": 1.5, "end": 2.25, "part": "", "fold": 3,
    }  # fmt: skip
    assert (second["clip"], second["start"], second["end"], second["fold"]) == ("wav/b", None, None, None)
    assert found.files == {"wav/a.wav": "wav/a.wav", "wav/b.MP3": "wav/b.MP3"} and found.clips.schema.equals(SCHEMA)


def test_every_wrong_row_is_listed_by_its_line(table):
    path = table(
        ["a.wav", "", "angry"],
        ["missing.wav", "1", ""],
        ["/elsewhere/x.wav", "1", "sad"],
        ["b.wav", "1", "sad", "robot"],
        ["c.wav", "1", "sad", "male"],
        ["d.wav", "1", "sad", "female"],
        ["e.wav", "2", "sad", "", "3", "2"],
        ["f.wav", "2", "sad", "", "-1", "x"],
        ["g.wav", "2", "sad", "", "", "", "dev", ""],
        ["h.wav", "2", "sad", "", "", "", "", "0"],
        ["i.wav", "2", "sad", "", "", "", "test", "1"],
        ["j.wav", "2", "sad"],
        ["j.wav", "2", "happy"],
        ["missing2.wav", "1", "sad"],
    )
    said = faults(path)
    for words in (
        "empty speaker: line 2",
        "empty emotion: line 3",
        "no such file, e.g. 'missing.wav': lines 3 and 15;",
        "path outside the folder of the recordings, e.g. '/elsewhere/x.wav': line 4;",
        "sex is none of male, female, e.g. 'robot': line 5",
        "a speaker has another sex than in an earlier row, e.g. '1': line 7",
        "end is not after start: line 8",
        "start is no number of seconds from 0, e.g. '-1': line 9",
        "end is no number of seconds from 0, e.g. 'x': line 9",
        "split is none of train, validation, test, e.g. 'dev': line 10",
        "fold is no whole number from 1 to 9999, e.g. '0': line 11",
        "split and fold are both given: line 12",
        "the same clip as an earlier row: line 14",
    ):
        assert any(line.startswith(words) for line in said), (words, said)
    assert len(said) == 13


@pytest.mark.parametrize("path", ["../out.wav", "wav/../../out.wav", "/etc/passwd"])
def test_no_path_leads_out_of_the_folder(table, path):
    assert any("outside the folder" in line for line in faults(table([path, "1", "sad"])))


def test_a_kind_of_fault_is_one_line_however_many_rows_have_it(table):
    path = table(*[["a.wav", "1", "sad", "", f"0:{number:05d}", "1,5"] for number in range(500)])
    first, second = faults(path)
    assert first.startswith("start is no number of seconds from 0, e.g. '0:00000': lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 490 more;")
    assert second.startswith("end is no number of seconds from 0, e.g. '1,5': lines 2"), "and no row is a copy of another"


def test_a_part_that_is_the_whole_file_is_no_other_clip(table):
    (line,) = faults(table(["a.wav", "1", "sad"], ["a.wav", "2", "sad", "", "0", ""]))
    assert line.startswith("the same clip as an earlier row: line 3;")


def test_a_table_below_a_link_has_absolute_paths(table, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.wav").touch()
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    path = table([str(tmp_path / "alias/a.wav"), "1", "sad"])
    assert checked(path, tmp_path / "real").clips["path"].to_pylist() == ["a.wav"]


def test_links_that_lead_nowhere_and_large_folds_are_no_tracebacks(table, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert checked(table(["a.wav", "1", "sad"])).clips.num_rows == 1
    assert faults(table(["a.wav", "1", "sad", "", "", "", "", "99999999999"])) == [
        "fold is no whole number from 1 to 9999, e.g. '99999999999': line 2"
    ]


def test_an_empty_sex_is_that_of_the_speakers_other_rows(table):
    found = checked(table(["a.wav", "1", "sad"], ["b.wav", "1", "sad", "M"], ["c.wav", "2", "sad"]))
    assert found.clips["sex"].to_pylist() == ["male", "male", ""]


def test_absolute_paths_below_the_root_are_relative(table, tmp_path):
    path = table(["wav/a.wav", "1", "sad"])
    path.write_text(f"path,speaker,emotion\n{tmp_path}/wav/a.wav,1,sad\n./wav/../wav/b.wav,2,sad\n")
    (tmp_path / "wav/b.wav").touch()
    assert checked(path).clips["path"].to_pylist() == ["wav/a.wav", "wav/b.wav"]


def test_one_clip_under_two_suffixes_is_refused(table):
    assert faults(table(["a.wav", "1", "sad"], ["a.mp3", "1", "sad"]))[0].startswith("the same clip as an earlier row: line 3")


@pytest.mark.parametrize(("there", "asked"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_names_differ_in_unicodes_form(table, tmp_path, there, asked):
    """A Mac writes NFD, and tables hold NFC."""
    (tmp_path / normalize(there, "é")).mkdir()
    (tmp_path / normalize(there, "é/ü.wav")).touch()
    path = tmp_path / "t.csv"
    path.write_text(f"path,speaker,emotion\n{normalize(asked, 'é/ü.wav')},1,sad\n")
    assert checked(path).files == {"é/ü.wav": normalize(there, "é/ü.wav")}


def test_links_are_followed(table, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far/a.wav").touch()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    (tmp_path / "link.wav").symlink_to(tmp_path / "far/a.wav")
    path = tmp_path / "t.csv"
    path.write_text("path,speaker,emotion\nnear/a.wav,1,sad\nlink.wav,1,sad\n")
    assert checked(path).clips.num_rows == 2


def test_labels_without_an_emotion_are_one_line_with_a_section(table):
    path = table(*[[f"{n}.wav", "1", label] for n, label in enumerate(["boredom", "boredom", "anger", "sad", "Ärger"])])
    (line,) = faults(path, emotions={"joy": "happy"})
    assert line.startswith("labels without an emotion; expected a default emotion, or an entry under fetch.own.emotions;")
    assert "found 'boredom' (2), 'anger' (1), 'Ärger' (1)" in line
    assert "fetch.own, for example: emotions: {joy: happy, anger: angry, boredom: null, Ärger: null}" in line
    (line,) = faults(path, classes=("sad", "boredom"))
    assert "for example: emotions: {anger: null, boredom: boredom, Ärger: null}" in line
    assert checked(path, emotions={"boredom": "boredom", "anger": "angry", "Ärger": None}).clips.num_rows == 5


def test_default_emotions_need_no_entry_and_may_have_one():
    assert [emotion_of(name, {}) for name in EMOTIONS] == list(EMOTIONS)
    assert emotion_of("calm", {"calm": "neutral"}) == "neutral" and emotion_of("x", {"x": None}) is None
    assert unmapped(["sad", "x", "y", "y", ""], {"x": None}) == {"y": 2}
    assert proposed(["Anger", "x", "sad"], EMOTIONS) == {"Anger": "angry", "x": None}
    assert proposed(["Anger", "X"], ("x",)) == {"Anger": None, "X": "x"}


def test_a_stored_table_that_is_damaged_is_one_line(tmp_path):
    (tmp_path / "table.parquet").write_bytes(b"x")
    with pytest.raises(FinserError, match="not the stored table of an own corpus"):
        stored(tmp_path)


def test_rows_are_counted_before_and_after_the_table_is_stored(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert number_of_rows("own") == 0
    path = table(["a.wav", "1", "sad"], ["b.wav", "2", "sad"])
    (tmp_path / "local.yaml").write_text(f"corpora: {{own: {path}}}\n")
    assert number_of_rows("own") == 2
    stored_at = layout.raw("own") / "table.parquet"
    stored_at.parent.mkdir(parents=True)
    pq.write_table(checked(path).clips.slice(1), stored_at)
    assert number_of_rows("own") == 1


def test_a_damaged_table_has_an_unknown_number_of_rows(tmp_path, monkeypatch):
    """Snakemake asks for it before `fetch` can say what is wrong."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.parquet").write_bytes(b"x")
    (tmp_path / "local.yaml").write_text("corpora: {own: t.parquet}")
    assert number_of_rows("own") == 0


def test_the_folder_of_the_recordings_must_exist(table, tmp_path):
    with pytest.raises(FinserError, match="no such folder"):
        checked(table(["a.wav", "1", "sad"]), root=tmp_path / "none")
