"""ESD: 10 Mandarin and 10 English speakers, 350 parallel sentences, 5 emotions (Zhou et al. 2021, doi:10.1016/j.specom.2021.11.006).

Two layouts exist: ``0011/Angry/0011_000351.wav``, and the same with folders train, evaluation and test under each emotion. The clip_id
follows the first. The emotion is that of the folder.

``0011/0011.txt`` holds lines of number, text and label, separated by tabs. Encodings differ between speakers, some lines are malformed, and
labels of Mandarin speakers are in Chinese. Transcripts therefore only provide the text, where they can be read.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from finser.corpora.known.utterance import Corpus, Utterance, check_folder, look_up, split_name
from finser.errors import FinserError

LABELS = {"Angry": "angry", "Happy": "happy", "Neutral": "neutral", "Sad": "sad", "Surprise": "surprise"}
NAMES = {label.lower(): label for label in LABELS} | {
    "生气": "Angry",
    "快乐": "Happy",
    "中立": "Neutral",
    "伤心": "Sad",
    "惊喜": "Surprise",
}
SPLITS = ("train", "evaluation", "test")
SENTENCES = 350  # per emotion, the same for all speakers of a language
NUMBERED = ("Neutral", "Angry", "Happy", "Sad", "Surprise")  # 000001 to 000350 are neutral, and so on
MANDARIN = tuple(f"{number:04d}" for number in range(1, 11))
ENGLISH = tuple(f"{number:04d}" for number in range(11, 21))
MALE = ("0004", "0005", "0006", "0008", "0010", "0011", "0012", "0013", "0014", "0020")  # from the publisher's ReadMe
# test speakers of EmoBox (Ma et al. 2024), github.com/emo-box/EmoBox, data/esd/fold_1 to fold_5
FOLDS = ((5, 11, 16, 18), (12, 14, 15, 19), (3, 4, 6, 9), (7, 8, 13, 20), (1, 2, 10, 17))


def parse(path: PurePosixPath) -> Utterance:
    """Parse speaker and number from a file name, and the emotion from its folder."""
    speaker, number = split_name(r"(\d{4})_(\d{6})", path, "0011/Angry/0011_000351.wav")
    look_up(speaker, dict.fromkeys(MANDARIN + ENGLISH, ""), "speaker", path)
    if not 1 <= int(number) <= SENTENCES * len(LABELS):
        raise FinserError("unknown sentence number", where=path, expected=f"000001 to {SENTENCES * len(LABELS):06d}", found=f"'{number}'")
    folders = [name for name in path.parts[:-1] if name.lower() not in SPLITS]
    above = folders[-2] if len(folders) > 1 else ""
    check_folder(above == speaker or not re.fullmatch(r"\d{4}", above), path, f"speaker {speaker}")
    label = look_up(folders[-1].lower() if folders else "", NAMES, "emotion folder", path)
    return Utterance(
        clip_id=f"esd/{speaker}/{label}/{path.stem}",
        corpus="esd",
        speaker=f"esd/{speaker}",
        sex="male" if speaker in MALE else "female",
        language="zh" if speaker in MANDARIN else "en",
        emotion=LABELS[label],
        publisher_label=label,
        intensity="",
        sentence=f"{(int(number) - 1) % SENTENCES + 1:03d}",
    )


def every(found: Collection[str] = ()) -> Iterator[str]:
    """Yield the clip_ids of a complete copy; `found` has no effect."""
    for speaker in MANDARIN + ENGLISH:
        for number in range(1, SENTENCES * len(NUMBERED) + 1):
            yield f"esd/{speaker}/{NUMBERED[(number - 1) // SENTENCES]}/{speaker}_{number:06d}"


def transcripts(root: Path) -> dict[str, tuple[str, str]]:
    """Return text and label of every clip in the files ``NNNN.txt`` under `root`.

    The label is in English, or "" if it is unknown. Lines without three fields separated by tabs are skipped: the publisher's own files
    have some.
    """
    found = {}
    for path in sorted(root.rglob("[0-9][0-9][0-9][0-9].txt")):
        for line in _decode(path.read_bytes()).splitlines():
            fields = [item.strip() for item in line.split("\t")]
            if len(fields) == 3:
                found[fields[0]] = (fields[1], NAMES.get(fields[2].lower(), ""))
    return found


def _decode(data: bytes) -> str:
    """Decode text in one of the encodings of the publisher's transcripts: UTF-16, UTF-8 with or without a BOM, GB, Latin-1."""
    if b"\0" in data:
        return data.decode("utf-16", errors="replace")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


CORPUS = Corpus(
    name="esd",
    title="ESD",
    folder="ESD",
    repacks=("Emotional Speech Dataset (ESD)", "Emotional Speech Dataset", "Emotion Speech Dataset", "ESD Emotional Speech Dataset"),
    licence="research only, after a signed form",
    home="https://hltsingapore.github.io/ESD/",
    how_to_get=(
        "sign the form at https://hltsingapore.github.io/ESD/, download 'Emotional Speech Dataset (ESD).zip' and unpack it in PATH/ESD, "
        "so that PATH/ESD/Emotion Speech Dataset/0011/Angry exists"
    ),
    clips=35_000,
    speakers=tuple(f"esd/{speaker}" for speaker in MANDARIN + ENGLISH),
    emotions=("neutral", "happy", "sad", "angry", "surprise"),
    parse=parse,
    every=every,
    folds=tuple(tuple(f"esd/{speaker:04d}" for speaker in fold) for fold in FOLDS),
    parts={tuple(f"esd/{speaker}" for speaker in ENGLISH): 17_500},
    texts=transcripts,
)
