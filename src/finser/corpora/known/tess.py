"""TESS: two women, 200 words, 7 emotions (Pichora-Fuller & Dupuis 2020, doi:10.5683/SP2/E8H2MF).

``OAF_angry/OAF_back_angry.wav`` is speaker-word-emotion; ``ps`` is pleasant surprise. Folders differ in case and word
(OAF_Fear, YAF_pleasant_surprised), one name lacks a letter (OA_bite_neutral.wav), two files are AIFF under a .wav name,
and the publisher's own download has no folders at all. The clip_id is the same in all of them.
"""

import re
from collections.abc import Collection, Iterator
from itertools import product
from pathlib import PurePosixPath

from finser.corpora.known.published import Dataverse
from finser.corpora.known.utterance import Corpus, Utterance, check_folder, look_up, split_name

LABELS = {
    "angry": "angry", "disgust": "disgust", "fear": "fear", "happy": "happy", "neutral": "neutral", "ps": "surprise", "sad": "sad",
}  # fmt: skip
SPEAKERS = {"OAF": "OAF", "YAF": "YAF", "OA": "OAF", "YA": "YAF"}  # 64 and 26 years old
FOLDER_WORDS = {label: label for label in LABELS} | {
    "surprise": "ps", "surprised": "ps", "pleasant_surprise": "ps", "pleasant_surprised": "ps",
}  # fmt: skip
# folders that are not SPEAKER_label in the copies that have folders
FOLDERS = {
    ("OAF", "fear"): "OAF_Fear",
    ("OAF", "ps"): "OAF_Pleasant_surprise",
    ("OAF", "sad"): "OAF_Sad",
    ("YAF", "ps"): "YAF_pleasant_surprised",
}


def parse(path: PurePosixPath) -> Utterance:
    """Parse speaker, word and emotion from a file name, and check the folder if it names an emotion."""
    code, word, label = split_name(r"([A-Z]+)_([a-z]+)_([a-z]+)", path, "OAF_back_angry.wav")
    speaker = look_up(code, SPEAKERS, "speaker", path)
    emotion = look_up(label, LABELS, "emotion code", path)
    folder = re.fullmatch(r"(OAF|YAF|OA|YA)[_ ](.+)", path.parent.name, re.IGNORECASE)
    if folder:
        words = FOLDER_WORDS.get(folder[2].lower().replace(" ", "_"))
        check_folder((SPEAKERS[folder[1].upper()], words) == (speaker, label), path, f"{speaker} and {label}")
    return Utterance(
        clip_id=_clip_id(speaker, word, label),
        corpus="tess",
        speaker=f"tess/{speaker}",
        sex="female",
        language="en",
        emotion=emotion,
        publisher_label=label,
        intensity="",
        sentence=f"Say the word {word}",
    )


def folder_of(speaker: str, label: str) -> str:
    """Return the folder of a speaker's clips of one emotion, in the copies that have folders."""
    return FOLDERS.get((speaker, label), f"{speaker}_{label}")


def _clip_id(speaker: str, word: str, label: str) -> str:
    return f"tess/{folder_of(speaker, label)}/{speaker}_{word}_{label}"


def every(found: Collection[str]) -> Iterator[str]:
    """Yield the clip_ids of a complete copy, for the words of the clips `found`."""
    words = sorted({clip.rpartition("/")[2].split("_")[1] for clip in found})
    for speaker, label, word in product(("OAF", "YAF"), LABELS, words):
        yield _clip_id(speaker, word, label)


CORPUS = Corpus(
    name="tess",
    title="TESS",
    folder="TESS",
    repacks=(
        "TESS Toronto emotional speech set data",
        "TESS Toronto emotional speech set",
        "Toronto emotional speech set (TESS)",
        "Toronto emotional speech set",
        "Toronto emotional speech set data",
    ),
    licence="CC BY-NC-ND 4.0",
    home="https://doi.org/10.5683/SP2/E8H2MF",
    published=Dataverse(address="https://borealisdata.ca", record="doi:10.5683/SP2/E8H2MF", version="1.0"),
    clips=2_800,
    speakers=("tess/OAF", "tess/YAF"),
    emotions=("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"),
    parse=parse,
    every=every,
    folds=(("tess/YAF",), ("tess/OAF",)),
)
