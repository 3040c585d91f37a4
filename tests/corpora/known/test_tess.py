from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finser.corpora.known.tess import CORPUS, parse
from finser.errors import FinserError

EMOTIONS = {"angry": "angry", "disgust": "disgust", "fear": "fear", "happy": "happy", "neutral": "neutral", "ps": "surprise", "sad": "sad"}
REAL_FOLDERS = (  # of a real copy
    "OAF_Fear", "OAF_Pleasant_surprise", "OAF_Sad", "OAF_angry", "OAF_disgust", "OAF_happy", "OAF_neutral",
    "YAF_angry", "YAF_disgust", "YAF_fear", "YAF_happy", "YAF_neutral", "YAF_pleasant_surprised", "YAF_sad",
)  # fmt: skip


@given(
    speaker=st.sampled_from(["OAF", "YAF"]), word=st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=8),
    label=st.sampled_from(sorted(EMOTIONS)), parent=st.sampled_from(["", "TESS Toronto emotional speech set data/", "{}_{}/", "{}_{}/x/"]),
)  # fmt: skip
def test_a_name_gives_back_the_fields_it_was_built_from(speaker, word, label, parent):
    said = parse(PurePosixPath(f"{parent.format(speaker, label)}{speaker}_{word}_{label}.wav"))
    assert (said.speaker, said.sex, said.emotion, said.publisher_label) == (f"tess/{speaker}", "female", EMOTIONS[label], label)
    assert said.sentence == f"Say the word {word}"
    assert PurePosixPath(said.clip_id).name == f"{speaker}_{word}_{label}"
    assert PurePosixPath(said.clip_id).parent.name in REAL_FOLDERS


@pytest.mark.parametrize("folder", REAL_FOLDERS)
def test_the_clip_id_is_the_path_in_a_real_copy(folder):
    speaker, word = folder.split("_", 1)
    label = "ps" if "surprise" in word else word.lower()
    path = f"{folder}/{speaker}_back_{label}"
    assert parse(PurePosixPath(f"{path}.wav")).clip_id == f"tess/{path}"


def test_a_letter_is_missing_in_one_name():
    said = parse(PurePosixPath("OAF_neutral/OA_bite_neutral.wav"))
    assert said == parse(PurePosixPath("OAF_neutral/OAF_bite_neutral.wav")) == parse(PurePosixPath("OA_bite_neutral.wav"))


@pytest.mark.parametrize("path", ["OAF_angry/OAF_back_sad.wav", "YAF_sad/OAF_back_sad.wav", "OAF_furious/OAF_back_angry.wav"])
def test_a_folder_that_contradicts_the_name_is_refused(path):
    with pytest.raises(FinserError, match="contradicts"):
        parse(PurePosixPath(path))


@pytest.mark.parametrize(("name", "found"), [("OAF_back_calm", "'calm'"), ("MAF_back_sad", "'MAF'"), ("OAF_sad", "OAF_sad.wav")])
def test_a_wrong_code_is_named(name, found):
    with pytest.raises(FinserError) as error:
        parse(PurePosixPath(f"{name}.wav"))
    assert f"{name}.wav" in str(error.value)
    assert f"found {found}" in str(error.value)


def test_each_woman_is_tested_once():
    assert sorted(CORPUS.folds) == [("tess/OAF",), ("tess/YAF",)]
