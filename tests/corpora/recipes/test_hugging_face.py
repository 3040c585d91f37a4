import json
from pathlib import PurePosixPath

import datasets
import pyarrow
import pytest
from pyarrow import parquet

from finser.corpora.recipes.hugging_face import class_names, rows, splits_of, suffix
from finser.corpora.recipes.write import write
from finser.errors import FinserError

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
FEATURES = datasets.Features(
    {
        "audio": datasets.Audio(),
        "emotion": datasets.ClassLabel(names=["neutral", "anger"]),
        "speaker": datasets.Value("int64"),
        "gender": datasets.Value("string"),
        "text": datasets.Value("string"),
    }
)


def clip(number, emotion=1, speaker=7, data=WAV, path="../../etc/passwd", gender="Female", text="two \n words"):
    sound = {"bytes": data and data + str(number).encode(), "path": path}
    return {"audio": sound, "emotion": emotion, "speaker": speaker, "gender": gender, "text": text}


@pytest.fixture
def hub(tmp_path):
    """Write Parquet files with the schema of the library `datasets`, two rows per row group."""

    def make(features=FEATURES, **files):
        for name, clips in files.items():
            path = tmp_path / "hub" / "data" / f"{name}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            parquet.write_table(pyarrow.Table.from_pylist(clips, features.arrow_schema), path, row_group_size=2)
        (tmp_path / "hub" / "data" / "._train-00000-of-00001.parquet").write_bytes(b"litter")
        return tmp_path / "hub"

    return make


def test_audio_becomes_files_and_numbers_become_names(hub):
    root = hub(train=[clip(n, emotion=n % 2) for n in range(5)], test=[clip(9)])
    found = list(rows(root, sex="gender", sentence="text", language="de"))
    place = "audio/data/train-00000-of-00001"
    assert found[1] == {
        "path": "audio/data/train-00000-of-00001/000000.wav", "emotion": "neutral", "speaker": "7", "sex": "female",
        "sentence": "two words", "language": "de", "split": "train",
    }  # fmt: skip
    assert [row["path"] for row in found[1:]] == [f"{place}/{n:06d}.wav" for n in range(5)]
    assert [(root / row["path"]).read_bytes() for row in found[1:]] == [WAV + str(n).encode() for n in range(5)]
    assert [row["emotion"] for row in found] == ["anger", "neutral", "anger", "neutral", "anger", "neutral"]
    assert (found[0]["path"], found[0]["split"]) == ("audio/data/test-00000-of-00001/000000.wav", "test")


def test_nothing_is_written_outside_the_folder(hub, tmp_path):
    root = hub(train=[clip(0, path="/tmp/evil.wav"), clip(1, path="../../../evil.wav"), clip(2, path=None)])
    paths = [row["path"] for row in rows(root)]
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.wav")}
    assert written == {f"hub/{path}" for path in paths}


def test_one_split_is_no_split(hub):
    assert {row["split"] for row in rows(hub(train=[clip(0)]))} == {""}


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["data/train-00000-of-00001.parquet", "data/dev-0.parquet"], ["train", "validation"]),
        (["default/train/0000.parquet", "default/test/0000.parquet"], ["train", "test"]),
        (["train.parquet", "validation.parquet", "test.parquet"], ["train", "validation", "test"]),
        (["train.parquet", "extra.parquet"], ["", ""]),
    ],
)
def test_splits_are_those_of_the_names(names, splits):
    assert list(splits_of([PurePosixPath(name) for name in names]).values()) == splits


def test_text_labels_need_no_metadata(tmp_path):
    table = pyarrow.table({"sound": [{"bytes": b"fLaC1", "path": None}], "label": ["joy"], "who": ["a"]})
    parquet.write_table(table, tmp_path / "x.PARQUET")
    (row,) = rows(tmp_path, "clips", audio="sound", emotion="label", speaker="who")
    assert row == {"path": "clips/x/000000.flac", "emotion": "joy", "speaker": "a", "language": "", "split": ""}


def test_class_names_of_the_library_and_of_nobody():
    assert class_names(FEATURES.arrow_schema) == {"emotion": ["neutral", "anger"]}
    for metadata in (None, {b"huggingface": b"no json"}, {b"huggingface": json.dumps([1]).encode()}):
        assert class_names(pyarrow.schema([("a", pyarrow.int64())], metadata=metadata)) == {}


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([clip(0, emotion=None)] * 4, r"clips without emotion; found 4: row 0 of data/train-.*, row 1 of .*, row 2 of .*, \.\.\."),
        ([clip(0), clip(1, emotion=-1)], "clips without emotion; found 1: row 1 of data/train"),
        ([clip(0, speaker=None)], "clips without speaker; found 1: row 0 of"),
        ([clip(0, emotion=2)], "unknown class; expected 0 to 1; found 2"),
        ([clip(0), clip(1, data=None), clip(2), clip(3, data=None)], "clips without audio; found 2: row 1, row 3"),
        ([clip(0, data=b"<html>")], "row 0: unknown audio format; expected wav, FLAC, Ogg or MP3"),
        ([clip(0, gender="robot")], "unknown sex; .*found 'robot'"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_left(hub, clips, message):
    root = hub(train=clips)
    before = sorted(root.rglob("*"))
    with pytest.raises(FinserError, match=message):
        list(rows(root, sex="gender"))
    assert sorted(root.rglob("*")) == before


def test_columns_that_are_not_there(hub):
    root = hub(train=[clip(0)])
    with pytest.raises(FinserError, match="columns are missing; expected label; found audio, emotion, speaker, gender, text"):
        list(rows(root, emotion="label"))
    with pytest.raises(FinserError, match=r"no audio in column 'text'; expected struct<bytes, path>; found string"):
        list(rows(root, audio="text"))


def test_a_folder_without_parquet_and_a_broken_file(tmp_path):
    with pytest.raises(FinserError, match="expected Parquet files"):
        list(rows(tmp_path))
    (tmp_path / "a.parquet").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(FinserError, match="a.parquet: not a Parquet file"):
        list(rows(tmp_path))


def test_files_of_the_user_are_not_replaced(hub):
    root = hub(train=[clip(0)])
    (root / "audio").mkdir()
    (root / "audio" / "mine.wav").touch()
    with pytest.raises(FinserError, match="audio: exists already; delete it"):
        list(rows(root))
    assert (root / "audio" / "mine.wav").exists()


def test_the_table(hub, tmp_path):
    root = hub(train=[clip(0)], test=[clip(1)])
    assert write("hugging_face", root, tmp_path / "table.csv", language="de", sex="gender") == 2
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert lines[:2] == ["path,speaker,emotion,sex,language,split", "audio/data/test-00000-of-00001/000000.wav,7,anger,female,de,test"]


@pytest.mark.parametrize(
    ("data", "expected"), [(WAV, ".wav"), (b"RF64....WAVE", ".wav"), (b"OggS", ".ogg"), (b"ID3\4", ".mp3"), (b"\xff\xfb\x90", ".mp3")]
)
def test_suffixes_follow_from_the_first_bytes(data, expected):
    assert suffix(data, "x") == expected
