"""MSP-Podcast: English podcasts, labelled by crowdsourcing, more than 200,000 turns (Lotfian & Busso 2019, doi:10.1109/TAFFC.2017.2736999).

``Labels/labels_consensus.csv`` (labels_concensus.csv in older releases) has a line per turn with FileName, EmoClass, SpkrID, Gender and
Split_Set; ``Audios/MSP-PODCAST_0001_0008.wav`` is the audio (Audio/ in some releases). Three kinds of turns are left out; their numbers
are printed:

- the speaker is Unknown: such a turn has a label, but it could be of anyone, also of a test speaker;
- the set is not among `tests`: Test1 and Test2 share speakers, and papers report them apart;
- Test3 (``MSP-PODCAST_test3_0001.wav``): the publisher hides its labels.

Sources: the publisher's page, https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html (sets, hidden labels, speakers
not yet known); readme.txt of release 1.12 (folders and files); EmoBox, github.com/emo-box/EmoBox,
EmoBox/preprocess/scripts/msppodcast.py (columns; it tests on Test1); github.com/Strong-AI-Lab/emotion, datasets/MSP-PODCAST/process.py
(letters of the labels, "Unknown" speakers); Busso et al. 2025, arXiv:2509.09791.

Not verified on the real data: the spelling of sets and sexes in every release (Development and Validation are both read), the names of the
files of Test3, and whether releases with several folders of audio exist.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from finser.corpora.recipes.checks import audio_of, by_stem, key_of, known, match, no_layout, read_csv, refuse, say_left_out

LABELS = {
    "A": "anger",
    "S": "sadness",
    "H": "happiness",
    "U": "surprise",
    "F": "fear",
    "D": "disgust",
    "C": "contempt",
    "N": "neutral",
    "O": "other",
    "X": "no agreement",
}
EMOTIONS: dict[str, str | None] = {
    "anger": "angry",
    "sadness": "sad",
    "happiness": "happy",
    "surprise": "surprise",
    "fear": "fear",
    "disgust": "disgust",
    "contempt": "contempt",
    "neutral": "neutral",
    "other": None,
    "no agreement": None,
}
SETS = {"Train": "train", "Development": "validation", "Validation": "validation", "Test1": "test", "Test2": "test", "Test3": "test"}
SEX = {"Male": "male", "Female": "female", "Unknown": ""}
COLUMNS = ("FileName", "EmoClass", "SpkrID", "Gender", "Split_Set")
NAMES = ("labels_consensus.csv", "labels_concensus.csv")
UNKNOWN = "unknown"


def rows(folder: Path, tests: Collection[str] = ("Test1",)) -> Iterator[dict[str, str]]:
    """Yield a row per labelled turn of a known speaker.

    Parameters
    ----------
    folder : Path
        The release, with Labels and Audios.
    tests : collection of str, optional
        The publisher's sets that are test clips; turns of its other test sets are left out.

    Raises
    ------
    FinserError
        The labels are missing, a code is unknown, or labels and audio files do not match.
    """
    labels = labels_of(folder)
    audio = _audio(folder)
    files = by_stem(audio_of(folder / audio, "MSP-Podcast", "MSP-PODCAST_0001_0008.wav"), folder)
    hidden = [name for name in files if "_test3_" in name.lower() and name not in labels]
    say_left_out(hidden, "the publisher hides the labels of Test3")
    match(labels, files.keys() - set(hidden), folder)
    unknown = [name for name, row in labels.items() if row["SpkrID"].lower() in ("", UNKNOWN)]
    say_left_out(unknown, "the speaker is unknown")
    others = [name for name, row in labels.items() if SETS[row["Split_Set"]] == "test" and row["Split_Set"] not in tests]
    say_left_out(others, f"the set is not {' or '.join(tests)}")
    for name in sorted(labels.keys() - set(unknown) - set(others)):
        yield _row(labels[name], f"{audio}/{files[name]}")


def labels_of(folder: Path) -> dict[str, dict[str, str]]:
    """Return the lines of the table of labels by the name of the audio file without suffix.

    Raises
    ------
    FinserError
        There is no table of labels, a set is unknown, or a file has several labels.
    """
    paths = [folder / "Labels" / name for name in NAMES if (folder / "Labels" / name).is_file()]
    if not paths:
        raise no_layout(folder, "MSP-Podcast", "Labels/labels_consensus.csv", "no such file")
    found: dict[str, dict[str, str]] = {}
    twice = []
    for row in read_csv(paths[0], COLUMNS):
        known(row["Split_Set"], SETS, "set", f"{paths[0]}: {row['FileName']}")
        name = key_of(Path(row["FileName"]).stem)
        if name in found:
            twice.append(name)
        found[name] = row
    refuse("several labels of one file", paths[0], twice, "download the labels again")
    return found


def _audio(folder: Path) -> str:
    """Return the name of the folder of audio files."""
    for name in ("Audios", "Audio"):
        if (folder / name).is_dir():
            return name
    raise no_layout(folder, "MSP-Podcast", "a folder Audios or Audio", "none")


def _row(label: dict[str, str], path: str) -> dict[str, str]:
    """Return the row of one turn."""
    return {
        "path": path,
        "speaker": label["SpkrID"],
        "emotion": known(label["EmoClass"], LABELS, "emotion code", path),
        "sex": known(label["Gender"] or "Unknown", SEX, "sex", path),
        "language": "en",
        "split": SETS[label["Split_Set"]],
    }
