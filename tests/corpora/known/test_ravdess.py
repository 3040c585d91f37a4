from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finser.corpora.known.ravdess import CORPUS, parse
from finser.errors import FinserError

EMOTIONS = ["neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise"]
FOLDERS = ("Actor_{:02d}/", "audio_speech_actors_01-24/Actor_{:02d}/", "")


@given(
    emotion=st.integers(1, 8), strong=st.booleans(), statement=st.integers(1, 2), repetition=st.integers(1, 2),
    actor=st.integers(1, 24), folder=st.sampled_from(FOLDERS), suffix=st.sampled_from([".wav", ".WAV"]),
)  # fmt: skip
def test_a_name_gives_back_the_fields_it_was_built_from(emotion, strong, statement, repetition, actor, folder, suffix):
    strong = strong and emotion != 1
    name = f"03-01-{emotion:02d}-{1 + strong:02d}-{statement:02d}-{repetition:02d}-{actor:02d}"
    said = parse(PurePosixPath(folder.format(actor) + name + suffix))
    assert said.clip_id == f"ravdess/Actor_{actor:02d}/{name}"
    assert (said.speaker, said.sex) == (f"ravdess/{actor:02d}", "male" if actor in range(1, 25, 2) else "female")
    assert (said.emotion, said.publisher_label) == (EMOTIONS[emotion - 1], f"{emotion:02d}")
    assert said.intensity == ("strong" if strong else "normal")
    assert said.sentence == ("Kids", "Dogs")[statement - 1] + (" are talking" if statement == 1 else " are sitting") + " by the door"
    assert said.speaker in CORPUS.speakers


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("03-01-09-01-01-01-01", "'09'"),
        ("03-01-00-01-01-01-01", "'00'"),
        ("01-01-05-01-01-01-01", "'01'"),  # video
        ("03-02-05-01-01-01-01", "'02'"),  # song
        ("03-01-05-03-01-01-01", "'03'"),
        ("03-01-01-02-01-01-01", "'02'"),  # strong neutral
        ("03-01-05-01-03-01-01", "'03'"),
        ("03-01-05-01-01-03-01", "'03'"),
        ("03-01-05-01-01-01-25", "'25'"),
        ("03-01-05-01-01-01", "03-01-05-01-01-01.wav"),
        ("notes", "notes.wav"),
    ],
)
def test_a_wrong_code_is_named(name, found):
    with pytest.raises(FinserError) as error:
        parse(PurePosixPath(f"{name}.wav"))
    assert f"{name}.wav" in str(error.value)
    assert f"found {found}" in str(error.value)


def test_a_file_in_another_actors_folder_is_refused():
    with pytest.raises(FinserError, match="contradicts"):
        parse(PurePosixPath("Actor_02/03-01-05-01-01-01-01.wav"))


def test_published_folds_are_a_partition_of_the_actors():
    assert sorted(speaker for fold in CORPUS.folds for speaker in fold) == list(CORPUS.speakers)
    assert [len(fold) for fold in CORPUS.folds] == [5, 5, 5, 5, 4]
