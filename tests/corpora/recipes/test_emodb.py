import pytest

from finser.corpora.recipes.emodb import EMOTIONS, LABELS, SEX, rows
from finser.errors import FinserError


def test_a_row_has_what_the_name_says(tree):
    root = tree("wav/03a01Fa.wav", "wav/16b10Lb.WAV", "lablaut/03a01Fa.lablaut", "erkennung.txt")
    assert list(rows(root)) == [
        {
            "path": "wav/03a01Fa.wav", "speaker": "03", "emotion": "happiness", "sex": "male", "language": "de",
            "sentence": "Der Lappen liegt auf dem Eisschrank.",
        },
        {
            "path": "wav/16b10Lb.WAV", "speaker": "16", "emotion": "boredom", "sex": "female", "language": "de",
            "sentence": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
        },
    ]  # fmt: skip


@pytest.mark.parametrize("code", LABELS)
def test_every_emotion_has_a_suggestion(tree, code):
    (row,) = rows(tree(f"{code}/08a02{code}c.wav"))
    assert row["emotion"] in EMOTIONS


def test_five_men_and_five_women():
    assert sorted(SEX.values()) == ["female"] * 5 + ["male"] * 5


@pytest.mark.parametrize(
    ("name", "found"),
    [("03a01Xa", "'X'"), ("04a01Fa", "'04'"), ("03a03Fa", "'a03'"), ("03a01F1", "03a01F1.wav"), ("notes", "notes.wav")],
)
def test_a_wrong_code_is_named(tree, name, found):
    with pytest.raises(FinserError) as error:
        list(rows(tree(f"wav/{name}.wav")))
    assert f"wav/{name}.wav" in str(error.value) and f"found {found}" in str(error.value)


def test_a_folder_without_audio_is_not_the_layout(tree):
    with pytest.raises(FinserError, match=r"not the layout of EmoDB; expected files like wav/03a01Fa\.wav"):
        list(rows(tree("readme.txt")))


def test_a_second_copy_is_refused(tree):
    with pytest.raises(FinserError, match=r"several files of one name; found 1: wav/03a01Fa\.wav \(also copy/03a01Fa\.wav\)"):
        list(rows(tree("wav/03a01Fa.wav", "copy/03a01Fa.wav")))
