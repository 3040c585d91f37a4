"""IEMOCAP: 10 actors in 5 dyadic sessions, improvised and scripted, 10,039 utterances (Busso et al. 2008, doi:10.1007/s10579-008-9076-6).

A line of labels in ``Session1/dialog/EmoEvaluation/Ses01F_impro01.txt`` has times, utterance, label and ratings, separated by tabs::

    [6.2901 - 8.2357]  Ses01F_impro01_F000  neu  [2.5000, 2.5000, 2.5000]

Its audio is ``Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav``. The F in Ses01F is the actor who wears the markers, the F
in F000 is the speaker: the speaker of Ses01F_impro01_M000 is Ses01M. The text is that of
``Session1/dialog/transcriptions/Ses01F_impro01.txt``, where it exists. The fold is the session, so that no actor is in two folds.

The label is the raters' majority. xxx means that they have none. The suggested mapping keeps the four emotions with which most papers work,
with excited counted as happy: 5,531 utterances.

Sources: README.txt of the release (names of the files, the raters' ten emotions); EmoBox, github.com/emo-box/EmoBox,
EmoBox/preprocess/scripts/iemocap.py (paths, lines, folds by session); FlagEval,
https://flageval.baai.ac.cn/docs/en/audio/Speech-Emotion-Recognition/Speech-Emotion-Recognition.html (counts, the four emotions).

Not verified on the real data: the counts, that every utterance of sentences/wav has a label, and that only the eleven labels occur.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from finser.corpora.folders import files_under, is_litter_name, unreadable
from finser.corpora.known.utterance import check_folder
from finser.corpora.recipes.checks import audio_of, by_stem, known, match, no_layout, refuse
from finser.errors import FinserError

LABELS = ("ang", "hap", "exc", "sad", "neu", "fru", "fea", "sur", "dis", "oth", "xxx")
EMOTIONS: dict[str, str | None] = {
    "ang": "angry",
    "hap": "happy",
    "exc": "happy",
    "sad": "sad",
    "neu": "neutral",
    "fru": None,
    "fea": None,
    "sur": None,
    "dis": None,
    "oth": None,
    "xxx": None,
}
SESSIONS = tuple(f"Session{number}" for number in range(1, 6))
LINE = re.compile(r"\[\d+(?:\.\d+)?\s*-\s*\d+(?:\.\d+)?\]\s+(\S+)\s+(\S+)(?:\s+\[.*\])?")
TURN = re.compile(r"(Ses0([1-5])[FM]_\w+)_([FM])\w+")
TEXT = re.compile(r"(Ses0\S+) \[[\d.\s-]+\]:\s*(.*)")


class Turn(NamedTuple):
    """A line of labels: the label, the dialogue, the session's number, and the speaker (F or M)."""

    label: str
    dialogue: str
    session: str
    speaker: str


def rows(folder: Path) -> Iterator[dict[str, str]]:
    """Yield a row per labelled utterance.

    Parameters
    ----------
    folder : Path
        ``IEMOCAP_full_release``, with Session1 to Session5.

    Raises
    ------
    FinserError
        A session is missing, a label is unknown, or labels and audio files do not match.
    """
    present = [name for name in SESSIONS if (folder / name).is_dir()]
    if present != list(SESSIONS):
        raise no_layout(folder, "IEMOCAP", "Session1 to Session5", ", ".join(present) or "none of them")
    labels = {}
    for name in SESSIONS:
        labels |= labels_of(folder / name)
    audio = [
        name for name in audio_of(folder, "IEMOCAP", "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav") if _is_turn(name)
    ]
    files = by_stem(audio, folder)
    match(labels, files, folder)
    texts = {turn: text for name in SESSIONS for turn, text in texts_of(folder / name).items()}
    for name, turn in labels.items():
        place = f"Session{turn.session}/sentences/wav/{turn.dialogue}"
        check_folder(str(files[name].parent) == place, files[name], place)
        yield {
            "path": str(files[name]),
            "speaker": f"Ses0{turn.session}{turn.speaker}",
            "emotion": turn.label,
            "sex": {"F": "female", "M": "male"}[turn.speaker],
            "language": "en",
            "sentence": texts.get(name, ""),
            "fold": turn.session,
        }


def labels_of(session: Path) -> dict[str, Turn]:
    """Return the labels of one session by utterance, in the order of the files.

    Raises
    ------
    FinserError
        There are no labels, a line or a label is unknown, or an utterance has several labels.
    """
    found: dict[str, Turn] = {}
    twice = []
    for path in _text_files(session / "dialog" / "EmoEvaluation"):
        for name, turn in _turns(path):
            if name in found:
                twice.append(name)
            found[name] = turn
    if not found:
        raise no_layout(session, "IEMOCAP", "labels in dialog/EmoEvaluation/*.txt", "none")
    refuse("several labels of one utterance", session, twice, "remove the second copy of the labels")
    return found


def texts_of(session: Path) -> dict[str, str]:
    """Return the transcripts of one session by utterance; lines of another form (laughter, stage directions) are no utterances."""
    lines = [line for path in _text_files(session / "dialog" / "transcriptions") for line in _lines(path)]
    return {said[1]: " ".join(said[2].split()) for said in map(TEXT.match, lines) if said}


def _turns(path: Path) -> Iterator[tuple[str, Turn]]:
    """Yield the labelled utterances of one file; the raters' own lines begin with other letters."""
    for line in _lines(path):
        if not line.startswith("["):
            continue
        parts = LINE.fullmatch(line.strip())
        turn = parts and TURN.fullmatch(parts[1])
        if not turn:
            like = "[6.2901 - 8.2357] Ses01F_impro01_F000 neu [2.5000, 2.5000, 2.5000]"
            raise FinserError("not a line of labels", where=path, expected=like, found=line.strip())
        yield turn[0], Turn(known(parts[2], LABELS, "label", f"{path}: {turn[0]}"), *turn.groups())


def _is_turn(name: PurePosixPath) -> bool:
    """Whether a file is an utterance: dialog/wav has recordings of whole dialogues."""
    return name.parts[1:3] == ("sentences", "wav")


def _text_files(folder: Path) -> list[Path]:
    """Return the text files directly in `folder`: the subfolders of EmoEvaluation have the raters' single votes."""
    if not folder.is_dir():
        return []
    return [folder / name for name in sorted(files_under(folder, (".txt",))) if len(name.parts) == 1 and not is_litter_name(name.name)]


def _lines(path: Path) -> list[str]:
    """Return the lines of a file; labels and names are ASCII, comments may be in another encoding."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        unreadable(error, path)
