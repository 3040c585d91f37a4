"""The emotion of each label of a table, and proposals for labels without one."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from finser.config.reading import flow
from finser.config.sections.fetch import Table
from finser.emotions import EMOTIONS
from finser.errors import FinserError

SYNONYMS = {  # in lower case; only for proposals, which the user confirms by writing them to params.yaml
    "anger": "angry",
    "ang": "angry",
    "hot anger": "angry",
    "happiness": "happy",
    "joy": "happy",
    "hap": "happy",
    "happily": "happy",
    "sadness": "sad",
    "neu": "neutral",
    "neutrality": "neutral",
    "calmness": "calm",
    "fearful": "fear",
    "afraid": "fear",
    "anxiety": "fear",
    "fea": "fear",
    "disgusted": "disgust",
    "dis": "disgust",
    "surprised": "surprise",
    "sur": "surprise",
}


def emotion_of(label: str, mapping: Mapping[str, str | None]) -> str | None:
    """Return the emotion of a label, or None if its clips are left out.

    Parameters
    ----------
    label : str
        As the table has it.
    mapping : mapping of str to str or None
        ``fetch.CORPUS.emotions``.

    Raises
    ------
    KeyError
        The label is neither in the mapping nor a default emotion (:data:`finser.emotions.EMOTIONS`).
    """
    return label if label in EMOTIONS and label not in mapping else mapping[label]


def unmapped(labels: Iterable[str], mapping: Mapping[str, str | None]) -> dict[str, int]:
    """Return the labels without an emotion, and their numbers of clips, the most frequent first."""
    counts = Counter(label for label in labels if label and label not in mapping and label not in EMOTIONS)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def proposed(labels: Iterable[str], classes: Sequence[str]) -> dict[str, str | None]:
    """Return an emotion for each label that is no default emotion: one of the `classes` of its name, or a common synonym; else None.

    None leaves its clips out.
    """
    likely = {label: SYNONYMS.get(label.lower(), label.lower()) for label in sorted(set(labels)) if label not in EMOTIONS}
    return {label: emotion if emotion in classes else None for label, emotion in likely.items()}


def check_labels(labels: Iterable[str], source: Table, corpus: str, where: Path, classes: Sequence[str]) -> list[FinserError]:
    """Return one error with all labels that have no emotion, their counts, and a section that maps them; nothing if there are none.

    The section names emotions of `classes` only, which are ``emotions`` of params.yaml.
    """
    counts = unmapped(labels, source.emotions)
    if not counts:
        return []
    said = ", ".join(f"{label!r} ({count:,})" for label, count in counts.items())
    section = flow({"emotions": {**source.emotions, **proposed(counts, classes)}})
    do = (
        f"write to params.yaml, under fetch.{corpus}, for example: {section[1:-1]} "
        "(null leaves the clips out; to use another emotion, add it to the key `emotions`, too)"
    )
    return [
        FinserError(
            "labels without an emotion",
            where=where,
            expected=f"a default emotion, or an entry under fetch.{corpus}.emotions",
            found=said,
            do=do,
        )
    ]
