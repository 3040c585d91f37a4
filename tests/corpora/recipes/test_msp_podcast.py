import pytest

from finser.corpora.recipes.msp_podcast import EMOTIONS, LABELS, rows
from finser.errors import FinserError

HEADER = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
CLIPS = {
    "MSP-PODCAST_0001_0008": "N,4.2,4.0,4.4,127,Male,Train",
    "MSP-PODCAST_0002_0033": "H,5.2,5.0,5.4,50,Female,Development",
    "MSP-PODCAST_0003_0001": "X,5.2,5.0,5.4,51,Unknown,Test1",
    "MSP-PODCAST_0004_0001": "A,5.2,5.0,5.4,Unknown,Unknown,Train",
    "MSP-PODCAST_0005_0001": "S,5.2,5.0,5.4,52,Female,Test2",
}


def release(tree, clips=CLIPS, name="Labels/labels_consensus.csv", audio="Audios", files=None, **options):
    table = HEADER + "".join(f"{clip}.wav,{label}\n" for clip, label in clips.items())
    return tree({name: table}, *(f"{audio}/{clip}.wav" for clip in files or clips), **options)


@pytest.mark.parametrize("name", ["Labels/labels_consensus.csv", "Labels/labels_concensus.csv"])
@pytest.mark.parametrize("audio", ["Audios", "Audio"])
def test_both_names_of_both(tree, name, audio, capsys):
    first, second, third = rows(release(tree, name=name, audio=audio))
    assert first == {
        "path": f"{audio}/MSP-PODCAST_0001_0008.wav", "speaker": "127", "emotion": "neutral", "sex": "male", "language": "en",
        "split": "train",
    }  # fmt: skip
    assert (second["emotion"], second["sex"], second["split"]) == ("happiness", "female", "validation")
    assert (third["emotion"], third["sex"], third["split"]) == ("no agreement", "", "test")
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "left out, the speaker is unknown: 1: MSP-PODCAST_0004_0001",
        "left out, the set is not Test1: 1: MSP-PODCAST_0005_0001",
    ]


def test_the_test_sets_are_chosen(tree):
    found = [row["path"] for row in rows(release(tree), tests=("Test1", "Test2")) if row["split"] == "test"]
    assert found == ["Audios/MSP-PODCAST_0003_0001.wav", "Audios/MSP-PODCAST_0005_0001.wav"]


def test_every_emotion_has_a_suggestion(tree):
    clips = {f"MSP-PODCAST_0001_{code}": f"{code},4,4,4,7,Male,Train" for code in LABELS}
    assert {row["emotion"] for row in rows(release(tree, clips))} == set(EMOTIONS)


def test_hidden_labels_of_test3_are_counted(tree, capsys):
    root = release(tree, files=[*CLIPS, *(f"MSP-PODCAST_test3_000{n}" for n in range(1, 6))])
    assert len(list(rows(root))) == 3
    hidden = "MSP-PODCAST_test3_0001, MSP-PODCAST_test3_0002, MSP-PODCAST_test3_0003, ..."
    assert f"left out, the publisher hides the labels of Test3: 5: {hidden}" in capsys.readouterr().err


def test_files_without_labels_and_labels_without_files(tree):
    with pytest.raises(FinserError, match="files without a label; found 1: MSP-PODCAST_9999_0001"):
        list(rows(release(tree, files=[*CLIPS, "MSP-PODCAST_9999_0001"])))
    more = CLIPS | {"MSP-PODCAST_8888_0001": "N,4,4,4,7,Male,Train"}
    with pytest.raises(FinserError, match="labels without a file; found 1: MSP-PODCAST_8888_0001"):
        list(rows(release(tree, more, files=CLIPS)))


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("Q,4,4,4,7,Male,Train", "unknown emotion code.*found 'Q'"), ("N,4,4,4,7,Male,Test9", "unknown set.*found 'Test9'"),
        ("N,4,4,4,7,Robot,Train", "unknown sex.*found 'Robot'"), ("N,4", "rows without a value for every column; found 1: 1"),
    ],
)  # fmt: skip
def test_a_wrong_code_is_named(tree, label, message):
    with pytest.raises(FinserError, match=message):
        list(rows(release(tree, {"MSP-PODCAST_0001_0001": label})))


def test_what_is_not_the_layout(tree, tmp_path):
    with pytest.raises(FinserError, match=r"expected Labels/labels_consensus\.csv"):
        list(rows(tree("Audios/MSP-PODCAST_0001_0008.wav")))
    with pytest.raises(FinserError, match="expected a folder Audios or Audio"):
        list(rows(release(tree, audio="Sounds", root=tmp_path / "other")))
    root = tree({"Labels/labels_consensus.csv": "FileName,Emotion\na.wav,N\n"}, root=tmp_path / "third")
    with pytest.raises(FinserError, match="columns are missing; expected EmoClass, SpkrID, Gender, Split_Set; found FileName, Emotion"):
        list(rows(root))


def test_two_labels_of_one_file(tree):
    root = release(tree)
    with (root / "Labels/labels_consensus.csv").open("a") as file:
        file.write("MSP-PODCAST_0001_0008.wav,A,4.2,4.0,4.4,127,Male,Train\n")
    with pytest.raises(FinserError, match="several labels of one file; found 1: MSP-PODCAST_0001_0008"):
        list(rows(root))
