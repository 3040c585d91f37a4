"""Own splits: columns of a table, or a file of folds."""

import csv

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finser import layout
from finser.config.sections.split import OwnFolds, Split
from finser.corpora.known.registry import CORPORA
from finser.errors import FinserError
from finser.files import checksum
from finser.splits.groups import PublishedFolds, speaker_split
from finser.splits.own import own_split
from finser.splits.protocols import split
from finser.splits.table import folds_source, read_split

from .test_splits import clip_rows, project, table_of

SPEAKERS = [f"{number:02d}" for number in range(1, 7)]
PARTS = dict(zip(SPEAKERS, ("train", "train", "train", "validation", "test", "test"), strict=True))


MANY = [f"{number:02d}" for number in range(1, 17)]


def rows_with(column: str, values: dict, corpus: str = "own", speakers: list[str] = SPEAKERS) -> list[dict]:
    return [{**row, column: values.get(row["speaker"].split("/")[1])} for row in clip_rows(corpus, speakers)]


def roles_of(roles: dict[str, str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for clip, role in roles.items():
        found.setdefault(clip.split("/")[1], set()).add(role)
    return found


def test_parts_are_those_of_the_table():
    roles, sources = own_split(table_of(rows_with("part", PARTS)), {}, Split(), 0)
    assert len(roles) == 1 and sources == {"own": "column split"}
    assert roles_of(roles[0]) == {speaker: {part} for speaker, part in PARTS.items()}


def test_a_corpus_without_test_clips_is_said(capsys):
    own_split(table_of(rows_with("part", dict.fromkeys(SPEAKERS, "train"))), {}, Split(), 0)
    assert "own has no test clip in fold 1: column split" in capsys.readouterr().err


def test_clips_of_no_part_are_left_out():
    values = {speaker: part for speaker, part in PARTS.items() if speaker != "02"}
    roles, _ = own_split(table_of(rows_with("part", values)), {}, Split(), 0)
    assert roles_of(roles[0]) == {speaker: {part} for speaker, part in values.items()}


def test_validation_is_drawn_if_no_part_states_it():
    values = {speaker: "test" if part == "test" else "train" for speaker, part in PARTS.items()}
    (roles,), _ = own_split(table_of(rows_with("part", values)), {}, Split(), 0)
    by_speaker = roles_of(roles)
    assert by_speaker["05"] == by_speaker["06"] == {"test"}
    assert sorted(map(sorted, (by_speaker[speaker] for speaker in SPEAKERS[:4]))) == [["train"]] * 3 + [["validation"]]


@settings(max_examples=30, deadline=None)
@given(st.permutations(MANY), st.integers(2, 12), st.integers(0, 99))
def test_a_clip_is_tested_on_in_its_fold_and_no_speaker_is_in_two_parts(order, n_folds, seed):
    """There may be more folds than ``split.folds``, and corpora without a statement have as many."""
    values = {speaker: 1 + number % n_folds for number, speaker in enumerate(order)}
    beside = table_of([*rows_with("fold", values, speakers=MANY), *clip_rows("esd", MANY)])
    roles, sources = own_split(beside, {}, Split(), seed)
    assert len(roles) == n_folds and sources == {"own": "column fold", "esd": "assigned at random"}
    assert all({"train", "validation", "test"} <= {role for clip, role in of_fold.items() if clip.startswith("esd")} for of_fold in roles)
    roles = [{clip: role for clip, role in of_fold.items() if clip.startswith("own")} for of_fold in roles]
    for fold, of_fold in enumerate(roles, start=1):
        by_speaker = roles_of(of_fold)
        assert {speaker for speaker in MANY if by_speaker[speaker] == {"test"}} == {speaker for speaker in MANY if values[speaker] == fold}
        assert all(len(found) == 1 for found in by_speaker.values()) and {"validation"} in by_speaker.values()
    assert own_split(table_of(rows_with("fold", values, speakers=MANY)[::-1]), {}, Split(), seed)[0] == roles


def test_corpora_have_the_folds_that_all_of_them_state():
    two, five = ({speaker: 1 + number % n for number, speaker in enumerate(MANY)} for n in (2, 5))
    rows = [*rows_with("fold", two, "a", MANY), *rows_with("fold", five, "b", MANY)]
    roles, sources = own_split(table_of(rows), {}, Split(), 0)
    assert len(roles) == 2 and sources == {"a": "column fold", "b": "column fold, 2 of 5 folds"}


def test_a_file_of_folds_may_name_clips_that_are_not_used(tmp_path, monkeypatch, capsys):
    """They are excluded, or of emotions that are left out; a name that no index has is an error."""
    monkeypatch.chdir(tmp_path)
    indexed = table_of(clip_rows("ravdess", SPEAKERS))
    own = write_folds(tmp_path / "folds.csv", [(f"ravdess/{speaker}", 1 + number % 2) for number, speaker in enumerate(SPEAKERS)])
    clips = table_of(clip_rows("ravdess", SPEAKERS[:4]))
    roles, _ = own_split(clips, {}, Split(own=own), 0, indexed)
    assert set(roles[0]) == set(clips["clip_id"].to_pylist())
    assert "folds.csv: 2 of 6 rows are of clips that are excluded, or of emotions that are left out" in capsys.readouterr().err
    with pytest.raises(FinserError, match="2 names of no clip of the pooled corpora, e.g. ravdess/05"):
        own_split(clips, {}, Split(own=own), 0)


def test_a_corpus_that_states_nothing_is_split_by_speaker():
    published = {"ravdess": PublishedFolds(CORPORA["ravdess"].folds)}
    beside = clip_rows("ravdess", [f"{number:02d}" for number in range(1, 25)])
    roles, sources = own_split(table_of([*beside, *rows_with("part", PARTS)]), published, Split(), 7)
    assert sources == {"ravdess": "published", "own": "column split"} and len(roles) == 1
    assert {clip: role for clip, role in roles[0].items() if clip.startswith("ravdess")} == speaker_split(
        table_of(beside), published, Split(), 7
    )[0][0]


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("part", {}, "no corpus of pooled states a split"),
        ("fold", dict.fromkeys(SPEAKERS, 1), "folds are not numbered 1, 2, ...; expected two or more"),
        ("fold", dict.fromkeys(SPEAKERS[:3], 1) | dict.fromkeys(SPEAKERS[3:], 3), "none left out; found 1, 3"),
    ],
)
def test_faults_are_one_line(column, values, said):
    with pytest.raises(FinserError, match="(?s)" + said.replace(".", r"\.")):
        own_split(table_of(rows_with(column, values)), {}, Split(), 0)


def shared_speaker() -> list[dict]:
    rows = rows_with("part", PARTS)
    rows[0]["part"] = "test"  # speaker 01 is in train and test
    return rows


def test_a_speaker_in_two_parts_is_refused_unless_the_protocol_is_leaky(tmp_path, monkeypatch):
    params = project(
        monkeypatch,
        tmp_path,
        {
            "ravdess": [
                {**row, "clip_id": f"ravdess/{row['clip_id']}", "corpus": "ravdess", "speaker": f"ravdess/{row['speaker']}"}
                for row in shared_speaker()
            ]
        },
    )
    with pytest.raises(FinserError, match=r"own.parquet: speaker ravdess/own/01 is in two parts of fold 1 .*or use the protocol own_leaky"):
        split(params, "own")
    assert not layout.split("own").exists()
    split(params, "own_leaky")
    assert read_split("own_leaky", 1).num_rows == 48 and folds_source("own_leaky") == {"ravdess": "column split"}
    with pytest.raises(FinserError, match=r"no fold 2; see folds in params.yaml, and split.folds, .*\(own\) the folds that are stated"):
        read_split("own_leaky", 2)


def write_folds(path, rows, head=("speaker", "fold")) -> OwnFolds:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return OwnFolds(file=path.name, checksum=f"sha256:{checksum(path)}")


def test_a_file_of_folds_is_for_any_corpus(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clips = table_of([*clip_rows("ravdess", SPEAKERS), *rows_with("part", PARTS)])
    by_speaker = [(f"ravdess/{speaker}", 1 + number % 2) for number, speaker in enumerate(SPEAKERS)]
    roles, sources = own_split(clips, {}, Split(own=write_folds(tmp_path / "folds.csv", by_speaker)), 0)
    assert sources == {"ravdess": "folds.csv, 1 of 2 folds", "own": "column split"} and len(roles) == 1
    assert {clip.split("/")[1] for clip, role in roles[0].items() if clip.startswith("ravdess") and role == "test"} == {"01", "03", "05"}
    parts = [(row["clip_id"], PARTS[row["speaker"].split("/")[1]]) for row in clip_rows("ravdess", SPEAKERS)]
    roles, _ = own_split(clips, {}, Split(own=write_folds(tmp_path / "parts.csv", parts, ("clip_id", "split"))), 0)
    assert {clip: role for clip, role in roles[0].items() if clip.startswith("ravdess")} == dict(parts)


@pytest.mark.parametrize(
    ("rows", "head", "said"),
    [
        ([("ravdess/01", 1)], ("name", "fold"), "other columns; expected clip_id or speaker, and fold or split; found name, fold"),
        ([("ravdess/99", 1)], ("speaker", "fold"), "1 names of no clip of the pooled corpora, e.g. ravdess/99"),
        ([("ravdess/01", 0), ("", 1)], ("speaker", "fold"), "faulty lines 2, 3 (2 in all)"),
        (
            [("ravdess/01", 4_000_000_000), ("ravdess/02", "9" * 5000)],
            ("speaker", "fold"),
            "faulty lines 2, 3 (2 in all); expected speaker",
        ),
        ([("ravdess/01", "dev")], ("speaker", "split"), "faulty lines 2 (1 in all); expected speaker, and one of train, validation, test"),
        ([("ravdess/01", 1), ("ravdess/01", 2)], ("speaker", "fold"), "names a speaker twice"),
    ],
)
def test_a_faulty_file_of_folds_is_one_line(tmp_path, monkeypatch, rows, head, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FinserError) as error:
        own_split(table_of(clip_rows("ravdess", SPEAKERS)), {}, Split(own=write_folds(tmp_path / "folds.csv", rows, head)), 0)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_another_content_needs_another_checksum(tmp_path, monkeypatch):
    """DVC does not see the file, but it sees params.yaml."""
    monkeypatch.chdir(tmp_path)
    own = write_folds(tmp_path / "folds.csv", [("ravdess/01", 1)])
    write_folds(tmp_path / "folds.csv", [("ravdess/01", 2)])
    for what in ("write this checksum to split.own.checksum", "no such file"):
        with pytest.raises(FinserError, match=what):
            own_split(table_of(clip_rows("ravdess", SPEAKERS)), {}, Split(own=own), 0)
        (tmp_path / "folds.csv").unlink(missing_ok=True)


def test_the_columns_have_their_types():
    assert table_of(rows_with("fold", {"01": 2}))["fold"].type == pa.int32()
