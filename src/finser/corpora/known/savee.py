"""SAVEE: four men, 7 emotions, with twice as many neutral clips (Haq & Jackson 2009, Proc. AVSP).

Two layouts exist: ``AudioData/DC/a01.wav`` (the publisher's) and ``ALL/DC_a01.wav`` (a common repack). The clip_id follows the first.
Sentences are numbered within an emotion, so both together identify a sentence (``a01``).
"""

from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from finser.corpora.known.utterance import Corpus, Utterance, check_folder, look_up, split_name
from finser.errors import FinserError

LABELS = {"a": "angry", "d": "disgust", "f": "fear", "h": "happy", "n": "neutral", "sa": "sad", "su": "surprise"}
MEN = ("DC", "JE", "JK", "KL")
TAKES = {"n": 30}  # 15 for every other emotion


def parse(path: PurePosixPath) -> Utterance:
    """Parse speaker, emotion and sentence number from a file name, or the speaker from the folder if the name lacks him."""
    prefix, label, number = split_name(r"(?:([A-Z]+)_)?([a-z]+)(\d\d)", path, "DC/a01.wav or DC_a01.wav")
    man = prefix or path.parent.name
    look_up(man, dict.fromkeys(MEN, ""), "speaker", path)
    if path.parent.name in MEN:
        check_folder(path.parent.name == man, path, man)
    emotion = look_up(label, LABELS, "emotion code", path)
    takes = TAKES.get(label, 15)
    if not 1 <= int(number) <= takes:
        raise FinserError("unknown sentence number", where=path, expected=f"01 to {takes}", found=f"'{number}'")
    return Utterance(
        clip_id=f"savee/AudioData/{man}/{label}{number}",
        corpus="savee",
        speaker=f"savee/{man}",
        sex="male",
        language="en",
        emotion=emotion,
        publisher_label=label,
        intensity="",
        sentence=f"{label}{number}",
    )


def every(found: Collection[str] = ()) -> Iterator[str]:
    """Yield the clip_ids of a complete copy; `found` has no effect."""
    for man in MEN:
        for label in LABELS:
            for number in range(1, TAKES.get(label, 15) + 1):
                yield f"savee/AudioData/{man}/{label}{number:02d}"


CORPUS = Corpus(
    name="savee",
    title="SAVEE",
    folder="SAVEE",
    repacks=("Surrey Audiovisual Expressed Emotion (SAVEE)", "Surrey Audio-Visual Expressed Emotion (SAVEE) Database", "SAVEE Database"),
    licence="research only, after registration",
    home="http://kahlan.eps.surrey.ac.uk/savee/",
    how_to_get=(
        "register with the University of Surrey at http://kahlan.eps.surrey.ac.uk/savee/, download AudioData.zip and unpack it "
        "in PATH/SAVEE, so that PATH/SAVEE/AudioData/DC/a01.wav exists"
    ),
    clips=480,
    speakers=tuple(f"savee/{man}" for man in MEN),
    emotions=("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"),
    parse=parse,
    every=every,
    folds=tuple((f"savee/{man}",) for man in MEN),
)
