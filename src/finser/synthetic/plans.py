"""Clips of a synthetic corpus: the publishers' layouts and file names, for a given number of speakers and clips."""

from dataclasses import dataclass

from finser.config.sections.fetch import Synthetic
from finser.corpora.known import crema_d, esd, ravdess, savee, tess
from finser.synthetic import sentences


@dataclass(frozen=True)
class ClipPlan:
    """One file of a synthetic corpus.

    Parameters
    ----------
    corpus : str
        Corpus id.
    path : str
        Relative to the corpus's folder, as the publisher names it.
    speaker : str
        The publisher's id, e.g. ``"01"``.
    sex : str
        ``male`` or ``female``, as in the real corpus.
    emotion : str
        One of the eight.
    text : str
        Text without its final mark.
    language : str
        ``en`` or ``zh``.
    take : str
        Intensity and repetition, which distinguish clips of the same text.
    strength : float
        Strength of the emotion; 1 is the full row of the table.
    """

    corpus: str
    path: str
    speaker: str
    sex: str
    emotion: str
    text: str
    language: str = "en"
    take: str = ""
    strength: float = 1.0


def plan(source: Synthetic, corpus: str) -> list[ClipPlan]:
    """Return the clips of one corpus: the first `source.speakers`, with `source.clips_per_emotion` clips per emotion.

    As in the real corpora, SAVEE has twice as many neutral clips, RAVDESS half as many, and CREMA-D one per sentence. A corpus with fewer
    speakers or clips in its plan gives all of them.
    """
    plans = {"ravdess": _ravdess, "crema_d": _crema_d, "tess": _tess, "savee": _savee, "esd": _esd}
    return plans[corpus](source.speakers, source.clips_per_emotion)


def _first(items: str, count: int) -> list[str]:
    return items.split()[:count]


# ---------------------------------------------------------------------------------------------------------------- RAVDESS

# one or two of each of five published test folds come first
_RAVDESS_ACTORS = "01 02 03 08 10 05 04 06 11 17 09 14 07 12 21 22 15 13 19 23 16 18 20 24"
# intensity, statement, repetition: any beginning of this list is spread evenly
_RAVDESS_TAKES = ((1, 1, 1), (2, 2, 1), (1, 2, 2), (2, 1, 2), (2, 2, 2), (1, 1, 2), (2, 1, 1), (1, 2, 1))
_RAVDESS_STRENGTH = {1: 0.75, 2: 1.2}


def _ravdess(speakers: int, count: int) -> list[ClipPlan]:
    return [
        _ravdess_clip(actor, code, emotion, *take)
        for actor in _first(_RAVDESS_ACTORS, speakers)
        for code, emotion in ravdess.LABELS.items()
        for take in _ravdess_takes(emotion, count)
    ]


def _ravdess_takes(emotion: str, count: int) -> list[tuple[int, int, int]]:
    if emotion == "neutral":  # has no strong intensity
        return [take for take in _RAVDESS_TAKES if take[0] == 1][: (count + 1) // 2]
    return list(_RAVDESS_TAKES[:count])


def _ravdess_clip(actor: str, code: str, emotion: str, intensity: int, statement: int, repetition: int) -> ClipPlan:
    name = f"03-01-{code}-{intensity:02}-{statement:02}-{repetition:02}-{actor}.wav"
    return ClipPlan(
        "ravdess", f"Actor_{actor}/{name}", actor, ravdess.sex(actor), emotion, ravdess.STATEMENTS[f"{statement:02}"],
        take=f"{intensity}-{repetition}", strength=_RAVDESS_STRENGTH[intensity],
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------- CREMA-D

# of the published split 1076, 1083 test, 1061 dev, then train; beyond the eighth a mixture
_CREMA_D_ACTORS = "1076 1001 1061 1083 1002 1005 1007 1014 1048 1003 1062 1074 1011 1004 1059 1078 1016 1006 1065 1008 1017 1049 1069 1009"
_CREMA_D_CODES = ("NEU", "ANG", "DIS", "FEA", "HAP", "SAD")
_CREMA_D_SENTENCES = ("MTI", "IEO", "TIE", "IOM", "IWW", "TAI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI")  # IEO has levels
_CREMA_D_STRENGTH = {"LO": 0.5, "MD": 0.9, "HI": 1.3, "XX": 0.95}


def _crema_d(speakers: int, count: int) -> list[ClipPlan]:
    return [
        _crema_d_clip(actor, code, sentence, level)
        for actor in _first(_CREMA_D_ACTORS, speakers)
        for code in _CREMA_D_CODES
        for sentence, level in _crema_d_takes(code, count)
    ]


def _crema_d_takes(code: str, count: int) -> list[tuple[str, str]]:
    """Return sentence and level: three levels for IEO, none (XX) for the others and for neutral."""
    first, levelled, *rest = _CREMA_D_SENTENCES
    second = rest[0]
    takes = [(first, "XX"), (levelled, "MD"), (second, "XX"), (levelled, "HI"), (levelled, "LO")]
    takes = (takes + [(sentence, "XX") for sentence in rest[1:]])[:count]
    if code == "NEU":
        return [(sentence, "XX") for sentence in dict(takes)]
    return takes


def _crema_d_clip(actor: str, code: str, sentence: str, level: str) -> ClipPlan:
    text = crema_d.SENTENCES[sentence].removesuffix(".")
    return ClipPlan(
        "crema_d", f"AudioWAV/{actor}_{sentence}_{code}_{level}.wav", actor, crema_d.SEX[actor], crema_d.LABELS[code], text,
        take=level, strength=_CREMA_D_STRENGTH[level],
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------------- TESS


def _tess(speakers: int, count: int) -> list[ClipPlan]:
    return [
        ClipPlan("tess", f"{tess.folder_of(speaker, code)}/{speaker}_{word}_{code}.wav", speaker, "female", emotion, f"Say the word {word}")
        for speaker in ("OAF", "YAF")[:speakers]
        for code, emotion in tess.LABELS.items()
        for word in _first(sentences.TESS_WORDS, count)
    ]


# ------------------------------------------------------------------------------------------------------------------ SAVEE

_SAVEE_MOST = 15  # per emotion; neutral twice as many


def _savee(speakers: int, count: int) -> list[ClipPlan]:
    count = min(count, _SAVEE_MOST)
    return [
        ClipPlan("savee", f"AudioData/{man}/{code}{number:02}.wav", man, "male", emotion, text)
        for man in savee.MEN[:speakers]
        for code, emotion in savee.LABELS.items()
        for number, text in enumerate(sentences.SAVEE[: 2 * count if emotion == "neutral" else count], 1)
    ]


# -------------------------------------------------------------------------------------------------------------------- ESD

_ESD_SPEAKERS = "0011 0001 0012 0002 0015 0004 0016 0005 0013 0003 0017 0006 0014 0007 0018 0008 0019 0009 0020 0010"
_ESD_CHINESE = {english: chinese for chinese, english in esd.NAMES.items() if not chinese.isascii()}


def _esd(speakers: int, count: int) -> list[ClipPlan]:
    return [clip for speaker in _first(_ESD_SPEAKERS, speakers) for clip in _esd_clips(speaker, count)]


def _esd_clips(speaker: str, count: int) -> list[ClipPlan]:
    sex = "male" if speaker in esd.MALE else "female"
    language, texts = ("zh", sentences.ESD_MANDARIN) if speaker in esd.MANDARIN else ("en", sentences.ESD_ENGLISH)
    return [
        ClipPlan("esd", f"{speaker}/{label}/{speaker}_{esd.SENTENCES * block + number:06}.wav", speaker, sex, label.lower(), text, language)
        for block, label in enumerate(esd.NUMBERED)
        for number, text in enumerate(texts[:count], 1)
    ]


def esd_transcripts(clips: list[ClipPlan]) -> dict[str, str]:
    """Return ESD's transcript files: ``id <tab> text <tab> label`` per clip; Mandarin speakers have Chinese labels.

    Returns
    -------
    dict of str to str
        Text of the file, by its path in the corpus.
    """
    texts: dict[str, str] = {}
    for clip in clips:
        label, stop = clip.emotion.capitalize(), "."
        if clip.language == "zh":
            label, stop = _ESD_CHINESE[label], "。"
        name = f"{clip.speaker}/{clip.speaker}.txt"
        identifier = clip.path.rpartition("/")[2].removesuffix(".wav")
        texts[name] = texts.get(name, "") + f"{identifier}\t{clip.text}{stop}\t{label}\n"
    return texts
