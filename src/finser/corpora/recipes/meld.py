"""MELD: dialogues of the series Friends, 13,708 utterances, 7 emotions (Poria et al. 2019, arXiv:1810.02508).

MELD.Raw has a table and a folder of films per split, train_sent_emo.csv, dev_sent_emo.csv and test_sent_emo.csv beside or above
train_splits, dev_splits_complete and output_repeated_splits_test. Dialogue 0, utterance 0 of a split is ``dia0_utt0.mp4``. Extract the
audio beside the films; names and folders must stay, since the same numbers occur in every split::

    find MELD.Raw -name 'dia*.mp4' -exec sh -c 'ffmpeg -nostdin -v error -i "$1" -vn -ac 1 -ar 16000 "${1%.mp4}.wav"' _ {} \\;

Folders named train, dev and test are read, too. Three things of the published archive are left out; their numbers are printed:

- two labels have no readable film: utterance 3 of dialogue 125 of train, utterance 7 of dialogue 110 of dev;
- some films have no label, 141 in all;
- films of test named ``final_videos_testdia0_utt0.mp4``, if you extract them.

A speaker is a name of the series; the main characters are in all three splits. Some names are not of one person ("All", "Woman").

Sources: the publisher's repository, github.com/declare-lab/MELD (README.md, data/MELD/dev_sent_emo.csv: columns, labels, encoding); EmoBox,
github.com/emo-box/EmoBox, EmoBox/preprocess/scripts/meld.py (folders of the films); github.com/Strong-AI-Lab/emotion,
datasets/MELD/process.py (the two labels without a film).

Not verified on the real data: the count of films without a label, which users report, and whether the films named final_videos_test are
better cuts than those of the plain name, as one of them says. This module uses those of the plain name, as EmoBox does.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from finser.corpora.folders import files_under
from finser.corpora.known.utterance import split_name
from finser.corpora.recipes.checks import audio_of, known, no_layout, read_csv, refuse, say_left_out
from finser.errors import FinserError

LABELS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
EMOTIONS: dict[str, str | None] = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprise": "surprise",
}
SPLITS = {"train": "train", "dev": "validation", "test": "test"}
FOLDERS = {"train_splits": "train", "dev_splits_complete": "dev", "output_repeated_splits_test": "test"} | {name: name for name in SPLITS}
COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
UNREADABLE = ("train/dia125_utt3", "dev/dia110_utt7")
OTHER_CUTS = "final_videos_test"


def rows(folder: Path) -> Iterator[dict[str, str]]:
    """Yield a row per labelled utterance that has audio.

    Parameters
    ----------
    folder : Path
        MELD.Raw, with the audio extracted as the module's docstring says.

    Raises
    ------
    FinserError
        A table is missing, a label is unknown, a file is in no folder of a split, or labels have no audio file.
    """
    labels = {name: row for split in SPLITS for name, row in labels_of(folder, split).items()}
    files = _files(audio_of(folder, "MELD", "train_splits/dia0_utt0.wav"), folder)
    absent = [name for name in labels if name not in files]
    say_left_out([name for name in absent if name in UNREADABLE], "the published film cannot be read")
    missing = [name for name in absent if name not in UNREADABLE]
    refuse("labels without a file", folder, missing, "extract the audio as docs/recipes.md says")
    say_left_out([path for name, path in files.items() if name not in labels], "the publisher has no label of them")
    for name in [name for name in labels if name in files]:
        row = labels[name]
        yield {
            "path": str(files[name]),
            "speaker": row["Speaker"],
            "emotion": row["Emotion"],
            "language": "en",
            "sentence": " ".join(row["Utterance"].split()),
            "split": SPLITS[name.partition("/")[0]],
        }


def labels_of(folder: Path, split: str) -> dict[str, dict[str, str]]:
    """Return the lines of the table of one split (train, dev or test) by ``split/dia0_utt0``.

    Raises
    ------
    FinserError
        There is not exactly one such table, a label is unknown, or an utterance has several labels.
    """
    tables = [name for name in files_under(folder, (".csv",)) if name.name == f"{split}_sent_emo.csv"]
    if len(tables) != 1:
        raise no_layout(folder, "MELD", f"one {split}_sent_emo.csv", " and ".join(map(str, tables)) or "none")
    path = folder / tables[0]
    found: dict[str, dict[str, str]] = {}
    twice = []
    for row in read_csv(path, COLUMNS):
        name = f"{split}/dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
        known(row["Emotion"], LABELS, "label", f"{path}: {name}")
        if name in found:
            twice.append(name)
        found[name] = row
    refuse("several labels of one utterance", path, twice, "download the table again")
    return found


def _files(names: list[PurePosixPath], folder: Path) -> dict[str, PurePosixPath]:
    """Return the audio files by ``split/dia0_utt0``."""
    other = {name for name in names if name.name.startswith(OTHER_CUTS)}
    say_left_out(sorted(other), f"they are the films of test named {OTHER_CUTS}")
    found: dict[str, PurePosixPath] = {}
    twice = []
    for name in (name for name in names if name not in other):
        dialogue, utterance = split_name(r"dia(\d+)_utt(\d+)", name, "dia0_utt0.wav")
        first = found.setdefault(f"{_split_of(name)}/dia{dialogue}_utt{utterance}", name)
        if first != name:
            twice.append(f"{name} (also {first})")
    refuse("several files of one utterance", folder, twice, "keep one copy of each")
    return found


def _split_of(path: PurePosixPath) -> str:
    """Return the split of a file: that of its nearest folder with a split's name."""
    for part in reversed(path.parts[:-1]):
        if part.lower() in FOLDERS:
            return FOLDERS[part.lower()]
    raise FinserError("the file is in no folder of a split", where=path, expected=f"one of {' '.join(FOLDERS)}", found=path.parent)
