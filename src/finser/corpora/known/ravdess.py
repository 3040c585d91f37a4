"""RAVDESS, speech, audio only: 24 actors, 60 clips each (Livingstone & Russo 2018, doi:10.1371/journal.pone.0196391).

``Actor_01/03-01-05-02-01-01-01.wav`` is modality-channel-emotion-intensity-statement-repetition-actor. A common repack holds
the whole tree a second time under ``audio_speech_actors_01-24/``; both copies have the same clip_id.
"""

import re
from collections.abc import Collection, Iterator
from itertools import product
from pathlib import PurePosixPath

from finser.corpora.known.published import Archive
from finser.corpora.known.utterance import Corpus, Utterance, check_folder, look_up, split_name
from finser.emotions import EMOTIONS
from finser.errors import FinserError

LABELS = {"01": "neutral", "02": "calm", "03": "happy", "04": "sad", "05": "angry", "06": "fear", "07": "disgust", "08": "surprise"}
INTENSITIES = {"01": "normal", "02": "strong"}
STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
PUBLISHED = Archive(
    address="https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip",
    checksum="md5:bc696df654c87fed845eb13823edef8a",
    size=208_468_073,
    unpacked=590_349_330,
)
ACTORS = tuple(f"{number:02d}" for number in range(1, 25))
# Luna-Jimenez et al. 2022, doi:10.3390/app12010327
FOLDS = ((2, 5, 14, 15, 16), (3, 6, 7, 13, 18), (10, 11, 12, 19, 20), (8, 17, 21, 23, 24), (1, 4, 9, 22))


def parse(path: PurePosixPath) -> Utterance:
    """Parse the seven codes of a file name; the module's docstring has their order."""
    codes = split_name("-".join([r"(\d\d)"] * 7), path, "03-01-05-02-01-01-01.wav")
    modality, channel, label, intensity, statement, repetition, actor = codes
    look_up(modality, {"03": "audio only"}, "modality (only audio, 03, is used)", path)
    look_up(channel, {"01": "speech"}, "vocal channel (only speech, 01, is used)", path)
    look_up(repetition, {"01": "first", "02": "second"}, "repetition", path)
    look_up(actor, dict.fromkeys(ACTORS, ""), "actor", path)
    if re.fullmatch(r"Actor_\d+", path.parent.name):
        check_folder(path.parent.name == f"Actor_{actor}", path, f"actor {actor}")
    emotion = look_up(label, LABELS, "emotion code", path)
    if emotion == "neutral" and intensity != "01":
        raise FinserError("neutral speech has one intensity", where=path, expected="01", found=f"'{intensity}'")
    return Utterance(
        clip_id=f"ravdess/Actor_{actor}/{path.stem}",
        corpus="ravdess",
        speaker=f"ravdess/{actor}",
        sex=sex(actor),
        language="en",
        emotion=emotion,
        publisher_label=label,
        intensity=look_up(intensity, INTENSITIES, "intensity", path),
        sentence=look_up(statement, STATEMENTS, "statement", path),
    )


def sex(actor: str) -> str:
    """Return the sex of an actor: odd numbers are men."""
    return "male" if int(actor) % 2 else "female"


def every(found: Collection[str] = ()) -> Iterator[str]:
    """Yield the clip_ids of a complete copy; `found` has no effect."""
    for actor, label, intensity, statement, repetition in product(ACTORS, LABELS, INTENSITIES, STATEMENTS, ("01", "02")):
        if (label, intensity) != ("01", "02"):
            yield f"ravdess/Actor_{actor}/03-01-{label}-{intensity}-{statement}-{repetition}-{actor}"


CORPUS = Corpus(
    name="ravdess",
    title="RAVDESS",
    folder="RAVDESS",
    repacks=("RAVDESS Emotional speech audio", "RAVDESS speech", "audio_speech_actors_01-24"),
    licence="CC BY-NC-SA 4.0",
    home="https://zenodo.org/records/1188976",
    clips=1_440,
    speakers=tuple(f"ravdess/{actor}" for actor in ACTORS),
    emotions=EMOTIONS,
    parse=parse,
    every=every,
    size=PUBLISHED.size,
    published=PUBLISHED,
    folds=tuple(tuple(f"ravdess/{actor:02d}" for actor in fold) for fold in FOLDS),
)
