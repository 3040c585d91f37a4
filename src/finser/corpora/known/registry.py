"""The corpora by name."""

from finser.corpora.known import crema_d, esd, ravdess, savee, tess
from finser.corpora.known.utterance import Corpus
from finser.errors import FinserError, nearest

CORPORA = {module.CORPUS.name: module.CORPUS for module in (ravdess, crema_d, tess, savee, esd)}


def get(name: str) -> Corpus:
    """Return the corpus of that name.

    Raises
    ------
    FinserError
        There is none; the message suggests the nearest name.
    """
    if name not in CORPORA:
        raise FinserError("unknown corpus", where=name, do=nearest(name, CORPORA))
    return CORPORA[name]
