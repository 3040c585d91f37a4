import pytest

from finser.corpora.recipes.urdu import EMOTIONS, rows
from finser.errors import FinserError

PUBLISHED = {  # clips per speaker in the publisher's repository
    "Angry": {"SM1": 22, "SM2": 28, "SM3": 2, "SM4": 48},
    "Happy": {
        "SF1": 12, "SF2": 2, "SF3": 2, "SF4": 4, "SF5": 4, "SF6": 14, "SF7": 6, "SF8": 2,
        "SM17": 2, "SM18": 2, "SM19": 2, "SM3": 2, "SM5": 8, "SM6": 10, "SM7": 28,
    },
    "Neutral": {"SF9": 4, "SM20": 10, "SM21": 4, "SM22": 2, "SM3": 8, "SM5": 72},
    "Sad": {"SF10": 2, "SF11": 4, "SM23": 6, "SM24": 38, "SM25": 40, "SM26": 2, "SM27": 4, "SM6": 4},
}  # fmt: skip


def published():
    for emotion, speakers in PUBLISHED.items():
        running = 0
        for speaker, clips in speakers.items():
            for clip in range(1, clips + 1):
                running += 1
                yield f"{emotion}/{speaker}_F{clip}_{emotion[0]}0{running}.wav"


def test_the_published_files(tree):
    found = list(rows(tree(*published(), "README.md")))
    assert len(found) == 400
    assert {row["emotion"] for row in found} == set(EMOTIONS)
    speakers = {row["speaker"]: row["sex"] for row in found}
    assert sorted(speakers.values()) == ["female"] * 11 + ["male"] * 18  # the README counts 27 men


@pytest.mark.parametrize("path", ["Angry/SM1_F10_A010.wav", "Angry/SM1/SM1_F10_A010.WAV", "SM1_F10_A010.wav"])
def test_a_row_has_what_the_name_says(tree, path):
    assert list(rows(tree(path))) == [{"path": path, "speaker": "SM1", "emotion": "angry", "sex": "male", "language": "ur"}]


@pytest.mark.parametrize(
    ("path", "found"),
    [("Angry/SM1_F1_X01", "'X'"), ("Angry/SM28_F1_A01", "'SM28'"), ("SX1_F1_A01", "'SX1'"), ("Sad/SM1_F1_A01", "Sad"), ("a", "a.wav")],
)
def test_a_wrong_code_is_named(tree, path, found):
    with pytest.raises(FinserError) as error:
        list(rows(tree(f"{path}.wav")))
    assert f"{path}.wav" in str(error.value) and f"found {found}" in str(error.value)
