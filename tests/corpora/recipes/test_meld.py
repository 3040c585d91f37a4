import pytest

from finser.corpora.recipes.meld import EMOTIONS, LABELS, rows
from finser.errors import FinserError

HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
SAID = "Oh my God, he’s  lost it."
WHEN = '4,7,"00:20:57,256","00:21:00,049"'


def table(*utterances):
    return HEADER + "".join(f'1,"{SAID}",{who},{emotion},negative,{at[0]},{at[1]},{WHEN}\n' for who, emotion, at in utterances)


@pytest.fixture
def release(tree):
    """An utterance per split, in the folders of MELD.Raw."""
    return tree(
        {"train/train_sent_emo.csv": table(("Phoebe", "sadness", (0, 0))), "dev_sent_emo.csv": table(("All", "joy", (0, 0)))},
        {"test_sent_emo.csv": table(("Mrs. Green", "surprise", (0, 0)))},
        "train/train_splits/dia0_utt0.wav", "train/train_splits/dia0_utt0.mp4", "dev_splits_complete/dia0_utt0.wav",
        "output_repeated_splits_test/dia0_utt0.WAV",
    )  # fmt: skip


def test_the_split_is_that_of_the_folder(release):
    first, second, third = rows(release)
    assert first == {
        "path": "train/train_splits/dia0_utt0.wav", "speaker": "Phoebe", "emotion": "sadness", "language": "en",
        "sentence": "Oh my God, he’s lost it.", "split": "train",
    }  # fmt: skip
    assert (second["path"], second["split"], second["speaker"]) == ("dev_splits_complete/dia0_utt0.wav", "validation", "All")
    assert (third["path"], third["split"], third["speaker"]) == ("output_repeated_splits_test/dia0_utt0.WAV", "test", "Mrs. Green")


def test_folders_may_be_named_after_the_splits(tree):
    labels = table(*(("Ross", emotion, (0, number)) for number, emotion in enumerate(LABELS)))
    texts = {f"{split}_sent_emo.csv": labels for split in ("train", "dev", "test")}
    root = tree(texts, *(f"{split}/dia0_utt{n}.wav" for split in ("train", "dev", "test") for n in range(7)))
    assert {(row["split"], row["emotion"]) for row in rows(root)} == {(s, e) for s in ("train", "validation", "test") for e in EMOTIONS}


def test_what_the_publisher_left_open_is_counted(release, tree, capsys):
    tree(
        {"train/train_sent_emo.csv": table(("Ross", "anger", (0, 0)), ("Ross", "neutral", (125, 3)))},
        "dev_splits_complete/dia66_utt9.wav", "output_repeated_splits_test/final_videos_testdia0_utt0.wav",
    )  # fmt: skip
    assert len(list(rows(release))) == 3
    assert capsys.readouterr().err.splitlines() == [
        "left out, they are the films of test named final_videos_test: 1: output_repeated_splits_test/final_videos_testdia0_utt0.wav",
        "left out, the published film cannot be read: 1: train/dia125_utt3",
        "left out, the publisher has no label of them: 1: dev_splits_complete/dia66_utt9.wav",
    ]


def test_a_readable_copy_of_such_a_film_is_used(release, tree, capsys):
    labels = table(("Ross", "neutral", (125, 3)), ("Ross", "anger", (0, 0)))
    tree({"train/train_sent_emo.csv": labels}, "train/train_splits/dia125_utt3.wav")
    assert len(list(rows(release))) == 4 and not capsys.readouterr().err


def test_labels_without_audio_are_counted(release, tree):
    tree({"dev_sent_emo.csv": table(*(("Ross", "joy", (9, n)) for n in range(4)))})
    with pytest.raises(FinserError, match=r"labels without a file; found 4: dev/dia9_utt0, dev/dia9_utt1, dev/dia9_utt2, \.\.\."):
        list(rows(release))


def test_what_is_wrong_is_named(release, tree):
    tree({"dev_sent_emo.csv": table(("Ross", "bored", (0, 0)))})
    with pytest.raises(FinserError, match="dev/dia0_utt0: unknown label; expected one of anger .*; found 'bored'"):
        list(rows(release))
    tree({"dev_sent_emo.csv": table(("Ross", "joy", (0, 0)), ("Ross", "anger", (0, 0)))})
    with pytest.raises(FinserError, match="several labels of one utterance; found 1: dev/dia0_utt0"):
        list(rows(release))
    (release / "dev_sent_emo.csv").write_bytes(b"Sr No.,Utterance\n1,he\x92s lost it\n")
    with pytest.raises(FinserError, match="not a CSV file in UTF-8"):
        list(rows(release))
    (release / "dev_sent_emo.csv").unlink()
    with pytest.raises(FinserError, match=r"expected one dev_sent_emo\.csv; found none"):
        list(rows(release))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("audio/dia0_utt0.wav", "in no folder of a split"), ("train/clip.wav", "found clip.wav"),
        ("train/dia0_utt0.wav", r"found 1: train/train_splits/dia0_utt0\.wav \(also train/dia0_utt0\.wav\)"),
    ],
)  # fmt: skip
def test_a_file_elsewhere_is_refused(release, tree, name, message):
    with pytest.raises(FinserError, match=message):
        list(rows(tree(name)))
