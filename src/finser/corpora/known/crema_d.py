"""CREMA-D: 91 actors, 12 sentences, 6 emotions (Cao et al. 2014, doi:10.1109/TAFFC.2014.2336244).

``AudioWAV/1001_DFA_ANG_XX.wav`` is actor-sentence-emotion-level. Older copies write ``_X`` for ``_XX`` in one name
(1040_ITH_SAD_X.wav); the clip_id is the same. crema_d_speakers.json holds the sex of every actor, from the publisher's
VideoDemographics.csv, and the published split; crema_d_sha256.csv holds size and checksum of every file.
"""

import csv
import json
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from finser.corpora.known.published import SingleFiles
from finser.corpora.known.utterance import Corpus, Utterance, look_up, split_name

LABELS = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified", "X": "unspecified"}
SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
SPEAKERS = json.loads(Path(__file__).with_name("crema_d_speakers.json").read_text(encoding="utf-8"))
SEX = dict(sorted((actor, sex) for sex in ("male", "female") for actor in SPEAKERS[sex]))


def parse(path: PurePosixPath) -> Utterance:
    """Parse the four codes of a file name; the module's docstring has their order."""
    actor, sentence, label, level = split_name(r"(\d+)_([A-Z]+)_([A-Z]+)_([A-Z]+)", path, "1001_DFA_ANG_XX.wav")
    intensity = look_up(level, LEVELS, "level", path)
    return Utterance(
        clip_id=f"crema_d/AudioWAV/{actor}_{sentence}_{label}_{'XX' if level == 'X' else level}",
        corpus="crema_d",
        speaker=f"crema_d/{actor}",
        sex=look_up(actor, SEX, "actor", path),
        language="en",
        emotion=look_up(label, LABELS, "emotion code", path),
        publisher_label=label,
        intensity=intensity,
        sentence=look_up(sentence, SENTENCES, "sentence", path),
    )


def files() -> dict[str, tuple[str, int]]:
    """Return checksum and size in bytes of every file, ``{"1001_DFA_ANG_XX.wav": ("sha256:...", 72862)}``."""
    with Path(__file__).with_name("crema_d_sha256.csv").open(newline="", encoding="utf-8") as file:
        return {row["file"]: (f"sha256:{row['sha256']}", int(row["bytes"])) for row in csv.DictReader(file)}


def every(found: Collection[str] = ()) -> Iterator[str]:
    """Yield the clip_ids of a complete copy; `found` has no effect."""
    for name in files():
        yield f"crema_d/AudioWAV/{PurePosixPath(name).stem}"


CORPUS = Corpus(
    name="crema_d",
    title="CREMA-D",
    folder="CREMA-D",
    repacks=("Crema", "CREMA-D AudioWAV"),
    licence="ODbL 1.0 (contents DbCL 1.0)",
    home="https://github.com/CheyneyComputerScience/CREMA-D",
    clips=7_442,
    speakers=tuple(f"crema_d/{actor}" for actor in SEX),
    emotions=("neutral", "happy", "sad", "angry", "fear", "disgust"),
    parse=parse,
    every=every,
    size=605_899_936,
    published=SingleFiles(
        address="https://media.githubusercontent.com/media/CheyneyComputerScience/CREMA-D/master/AudioWAV",
        mirrors=(
            "https://gitlab.com/cs-cooper-lab/crema-d-mirror/-/raw/HEAD/AudioWAV",
        ),  # the authors': the first's quota is often used up
        folder="AudioWAV",
        files=files,
    ),
    # audEERING's split (data set crema-d 1.1.0), balanced by sex, race and ethnicity
    folds=(tuple(f"crema_d/{actor}" for actor in SPEAKERS["test"]),),
    validation={1: tuple(f"crema_d/{actor}" for actor in SPEAKERS["dev"])},
)
