"""URDU: speakers of Urdu talk shows, 400 clips, 4 emotions (Latif et al. 2018, arXiv:1812.10411).

``Angry/SM1_F10_A010.wav`` is speaker (S, then M or F and the speaker's number), number of the clip of that speaker, emotion (first letter)
and number of the clip of that emotion. Men and women are numbered apart. The publisher counts 27 men and 11 women; the names of the files
have 18 men (SM1 to SM7, SM17 to SM27) and 11 women.

Sources: the publisher's repository, github.com/siddiquelatif/URDU-Dataset. Its list of all 400 files was compared with this module. Its
README also mentions a folder per speaker under each emotion, which the list of files does not have; both are read.

Not verified: that SM3, who occurs with three emotions, is one man. The README does not say it, and its count of men is higher.
"""

from collections.abc import Iterator
from pathlib import Path

from finser.corpora.known.utterance import check_folder, look_up, split_name
from finser.corpora.recipes.checks import audio_of, by_stem

LABELS = {"A": "angry", "H": "happy", "N": "neutral", "S": "sad"}
EMOTIONS: dict[str, str | None] = {"angry": "angry", "happy": "happy", "neutral": "neutral", "sad": "sad"}
SPEAKERS = {f"SM{number}": "male" for number in range(1, 28)} | {f"SF{number}": "female" for number in range(1, 12)}


def rows(folder: Path) -> Iterator[dict[str, str]]:
    """Yield a row per audio file, from its name.

    Parameters
    ----------
    folder : Path
        A clone of the publisher's repository, with ``Angry/SM1_F1_A01.wav``.

    Raises
    ------
    FinserError
        There is no audio, a file name has an unknown code or contradicts its folder, or several files have one name.
    """
    for path in by_stem(audio_of(folder, "URDU", "Angry/SM1_F1_A01.wav"), folder).values():
        speaker, label = split_name(r"(S[A-Z]\d+)_F\d+_([A-Z])\d+", path, "SM1_F1_A01.wav")
        emotion = look_up(label, LABELS, "emotion code", path)
        for part in path.parts[:-1]:
            if part.lower() in LABELS.values():
                check_folder(part.lower() == emotion, path, emotion)
        yield {
            "path": str(path),
            "speaker": speaker,
            "emotion": emotion,
            "sex": look_up(speaker, SPEAKERS, "speaker", path),
            "language": "ur",
        }
