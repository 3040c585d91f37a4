from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finser.corpora.known.crema_d import CORPUS, SENTENCES, SEX, files, parse
from finser.errors import FinserError

EMOTIONS = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"}


@given(
    actor=st.integers(1001, 1091), sentence=st.sampled_from(sorted(SENTENCES)), label=st.sampled_from(sorted(EMOTIONS)),
    level=st.sampled_from(sorted(LEVELS)), folder=st.sampled_from(["AudioWAV/", "", "CREMA-D/AudioWAV/"]),
)  # fmt: skip
def test_a_name_gives_back_the_fields_it_was_built_from(actor, sentence, label, level, folder):
    name = f"{actor}_{sentence}_{label}_{level}"
    said = parse(PurePosixPath(f"{folder}{name}.wav"))
    assert (said.clip_id, said.speaker) == (f"crema_d/AudioWAV/{name}", f"crema_d/{actor}")
    assert (said.emotion, said.publisher_label, said.intensity) == (EMOTIONS[label], label, LEVELS[level])
    assert said.sex in ("male", "female")
    assert said.sentence.endswith(".")


def test_older_copies_miss_an_x():
    old, new = (parse(PurePosixPath(f"AudioWAV/1040_ITH_SAD_{level}.wav")) for level in ("X", "XX"))
    assert old == new
    assert old.sentence == "I think I have a doctor's appointment."


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("1000_DFA_ANG_XX", "'1000'"),
        ("1092_DFA_ANG_XX", "'1092'"),
        ("1001_DFX_ANG_XX", "'DFX'"),
        ("1001_DFA_CAL_XX", "'CAL'"),
        ("1001_DFA_ANG_XY", "'XY'"),
        ("1001_DFA_ANG", "1001_DFA_ANG.wav"),
    ],
)
def test_a_wrong_code_is_named(name, found):
    with pytest.raises(FinserError) as error:
        parse(PurePosixPath(f"AudioWAV/{name}.wav"))
    assert f"{name}.wav" in str(error.value)
    assert f"found {found}" in str(error.value)


def test_the_shipped_list_is_the_whole_corpus():
    said = [parse(PurePosixPath(name)) for name in files()]
    assert len({one.clip_id for one in said}) == CORPUS.clips == 7442
    assert {one.speaker for one in said} == set(CORPUS.speakers)
    counts = {label: sum(one.publisher_label == label for one in said) for label in EMOTIONS}
    assert counts == {"ANG": 1271, "DIS": 1271, "FEA": 1271, "HAP": 1271, "SAD": 1271, "NEU": 1087}


def test_published_split_and_sexes():
    test, validation = set(CORPUS.folds[0]), set(CORPUS.validation[1])
    assert (len(test), len(validation), len(CORPUS.speakers)) == (17, 18, 91)
    assert not test & validation
    assert test | validation < set(CORPUS.speakers)
    assert sum(sex == "male" for sex in SEX.values()) == 48  # Cao et al. 2014
