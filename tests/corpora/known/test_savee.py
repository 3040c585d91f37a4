from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finser.corpora.known.savee import CORPUS, parse
from finser.errors import FinserError

EMOTIONS = {"a": "angry", "d": "disgust", "f": "fear", "h": "happy", "n": "neutral", "sa": "sad", "su": "surprise"}
COMPLETE = [(label, number) for label in EMOTIONS for number in range(1, 31 if label == "n" else 16)]


@given(man=st.sampled_from(["DC", "JE", "JK", "KL"]), take=st.sampled_from(COMPLETE))
def test_both_layouts_give_the_same_record(man, take):
    label, number = take
    paths = (
        f"AudioData/{man}/{label}{number:02d}",
        f"{man}/{label}{number:02d}",
        f"ALL/{man}_{label}{number:02d}",
        f"{man}_{label}{number:02d}",
    )
    (said,) = {parse(PurePosixPath(f"{path}.wav")) for path in paths}
    assert said.clip_id == f"savee/AudioData/{man}/{label}{number:02d}"
    assert (said.speaker, said.sex, said.emotion, said.publisher_label) == (f"savee/{man}", "male", EMOTIONS[label], label)
    assert said.sentence == f"{label}{number:02d}"


def test_the_documented_count():
    assert 4 * len(COMPLETE) == CORPUS.clips == 480


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("DC/b01", "'b'"), ("DC/s01", "'s'"), ("DC/a16", "'16'"), ("DC/a00", "'00'"), ("DC/n31", "'31'"),
        ("ALL/XX_a01", "'XX'"), ("ALL/a01", "'ALL'"), ("DC/a1", "a1.wav"), ("DC/JE_a01", "DC"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(path, found):
    with pytest.raises(FinserError) as error:
        parse(PurePosixPath(f"{path}.wav"))
    assert f"{path}.wav" in str(error.value)
    assert f"found {found}" in str(error.value)
