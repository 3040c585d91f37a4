from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finser.corpora.known.esd import CORPUS, MALE, parse, transcripts
from finser.errors import FinserError

EMOTIONS = {"Angry": "angry", "Happy": "happy", "Neutral": "neutral", "Sad": "sad", "Surprise": "surprise"}
CHINESE = {"Angry": "生气", "Happy": "快乐", "Neutral": "中立", "Sad": "伤心", "Surprise": "惊喜"}


@given(
    speaker=st.integers(1, 20), label=st.sampled_from(sorted(EMOTIONS)), number=st.integers(1, 1750),
    split=st.sampled_from(["", "train/", "evaluation/", "test/"]), top=st.sampled_from(["", "Emotion Speech Dataset/", "2022/ESD/"]),
    write=st.sampled_from([str, str.lower, CHINESE.get]),
)  # fmt: skip
def test_all_layouts_give_the_same_record(speaker, label, number, split, top, write):
    said = parse(PurePosixPath(f"{top}{speaker:04d}/{write(label)}/{split}{speaker:04d}_{number:06d}.wav"))
    assert said.clip_id == f"esd/{speaker:04d}/{label}/{speaker:04d}_{number:06d}"
    assert (said.speaker, said.language) == (f"esd/{speaker:04d}", "zh" if speaker <= 10 else "en")
    assert (said.emotion, said.publisher_label) == (EMOTIONS[label], label)
    assert said.sentence == f"{[*range(1, 351)][number % 350 - 1]:03d}"  # 000001, 000351, 000701, ... are the same sentence


def test_half_of_the_speakers_of_each_language_are_men():
    assert sum(speaker <= "0010" for speaker in MALE) == 5
    assert len(MALE) == 10


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("0011/Fear/0011_000001", "'fear'"), ("0011/0011_000001", "'0011'"), ("0011_000001", "''"), ("0021/Sad/0021_000001", "'0021'"),
        ("0011/Sad/0011_001751", "'001751'"), ("0011/Sad/0011_000000", "'000000'"), ("0011/Sad/0012_000001", "0011/Sad"),
        ("0011/Sad/0011_1", "0011_1.wav"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(path, found):
    with pytest.raises(FinserError) as error:
        parse(PurePosixPath(f"{path}.wav"))
    assert f"{path}.wav" in str(error.value)
    assert f"found {found}" in str(error.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_transcripts_in_the_encodings_that_occur(tmp_path, encoding):
    (tmp_path / "0001").mkdir()
    (tmp_path / "0001/0001.txt").write_bytes(
        "0001_000351\t打远一看，它们的确很是美丽。\t生气\r\n\r\n0001_000352\t无标签\r\n".encode(encoding)
    )
    (tmp_path / "0011").mkdir()
    (tmp_path / "0011/0011.txt").write_bytes("0011_000001\tThe nine the eggs, I keep.\tNeutral \n".encode(encoding))
    assert transcripts(tmp_path) == {
        "0001_000351": ("打远一看，它们的确很是美丽。", "Angry"),
        "0011_000001": ("The nine the eggs, I keep.", "Neutral"),
    }


def test_published_folds_are_a_partition_of_the_speakers():
    assert sorted(speaker for fold in CORPUS.folds for speaker in fold) == list(CORPUS.speakers)
    assert {len(fold) for fold in CORPUS.folds} == {4}
