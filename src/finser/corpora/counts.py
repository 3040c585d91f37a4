"""Number of clips of a complete copy of a corpus: the publisher's count, or the count of a synthetic corpus's plan.

:func:`finser.synthetic.plan` lists the files of a synthetic corpus. The formula here gives their number, so that a stage that only needs
the number does not depend on the synthesizer. A test compares the two for every number of speakers and clips.
"""

from collections.abc import Collection

from finser.config.sections.fetch import Source, Synthetic
from finser.corpora.known import registry
from finser.corpora.known.utterance import Corpus

MOST_SPEAKERS = {"ravdess": 24, "crema_d": 24, "tess": 2, "savee": 4, "esd": 20}
MOST_CLIPS = {"ravdess": 8, "crema_d": 14, "tess": 60, "savee": 15, "esd": 30}  # per speaker and emotion
EMOTIONS = {"ravdess": 8, "crema_d": 6, "tess": 7, "savee": 7, "esd": 5}  # neutral included


def expected_count(source: Source, corpus: str, speakers: Collection[str] = ()) -> int:
    """Return the number of clips of a complete copy.

    Parameters
    ----------
    source : Synthetic, Local or Download
        A synthetic corpus has the clips of its plan; other sources have the publisher's count.
    corpus : str
        Name of the corpus.
    speakers : collection of str, optional
        The speakers found. If a published part of the corpus holds them all (English ESD: 17,500), its count is returned.
    """
    if isinstance(source, Synthetic):
        return planned(source, corpus)
    return published_part(registry.get(corpus), speakers)[1]


def published_part(known: Corpus, speakers: Collection[str]) -> tuple[tuple[str, ...], int]:
    """Return speakers and number of clips of the smallest published part that holds all of `speakers`, if there is any."""
    parts = [part for part in known.parts.items() if speakers and set(speakers) <= set(part[0])]
    return min(parts, key=lambda part: part[1], default=(known.speakers, known.clips))


def planned(source: Synthetic, corpus: str) -> int:
    """Return the number of audio files in the plan of a synthetic corpus."""
    count = min(source.clips_per_emotion, MOST_CLIPS[corpus])
    per_speaker = (EMOTIONS[corpus] - 1) * count + _neutral(corpus, count)
    return min(source.speakers, MOST_SPEAKERS[corpus]) * per_speaker


def _neutral(corpus: str, count: int) -> int:
    """Return the number of neutral clips of one speaker; see :func:`finser.synthetic.plans.plan`."""
    if corpus == "ravdess":  # neutral speech has one of two intensities
        return (count + 1) // 2
    if corpus == "crema_d":  # takes 2, 4 and 5 are levels of one sentence, and neutral speech has none
        return count - max(0, min(count, 5) - 3)
    return 2 * count if corpus == "savee" else count
