"""The corpora by name, and how many clips each should have."""

from collections.abc import Collection

from finser.config.sections.fetch import Source, Synthetic
from finser.corpora import crema_d, esd, ravdess, savee, tess
from finser.corpora.utterance import Corpus
from finser.errors import FinserError, nearest

CORPORA = {module.CORPUS.name: module.CORPUS for module in (ravdess, crema_d, tess, savee, esd)}


def get(name: str) -> Corpus:
    """The corpus of that name.

    Raises
    ------
    FinserError
        There is none; the message names the nearest.
    """
    if name not in CORPORA:
        raise FinserError("unknown corpus", where=name, do=nearest(name, CORPORA))
    return CORPORA[name]


def expected_count(source: Source, corpus: str, speakers: Collection[str] = ()) -> int:
    """How many clips a complete copy has.

    Parameters
    ----------
    source : Synthetic, Local or Download
        A synthetic corpus has as many as its plan; the others have the publisher's count.
    corpus : str
        Name of the corpus.
    speakers : collection of str, optional
        The speakers found. If a published part of the corpus holds them all (English ESD: 17,500), its count is returned.
    """
    if isinstance(source, Synthetic):
        from finser import synthetic  # it parses and speaks: heavier than all of this module

        return synthetic.planned(source, corpus)
    return published_part(get(corpus), speakers)[1]


def published_part(known: Corpus, speakers: Collection[str]) -> tuple[tuple[str, ...], int]:
    """The smallest published part of a corpus that holds all of `speakers`, if there are any: its speakers and its clips."""
    parts = [part for part in known.parts.items() if speakers and set(speakers) <= set(part[0])]
    return min(parts, key=lambda part: part[1], default=(known.speakers, known.clips))
