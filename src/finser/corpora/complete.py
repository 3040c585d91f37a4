"""Whether a copy of a corpus is complete, and what is missing if it is not."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePosixPath

from finser.config.sections.fetch import Source
from finser.corpora.counts import expected_count, published_part
from finser.corpora.utterance import Corpus, Utterance
from finser.errors import FinserError

NAMED = 3  # so many missing speakers and clips are named, the others counted


def check(utterances: Iterable[Utterance], source: Source, known: Corpus, where: object, do: str = "") -> int:
    """How many distinct clips a complete copy has, if these are not too few (`allow_partial` permits that) and not too many.

    Parameters
    ----------
    utterances : iterable of Utterance
        What was found; two files of the same clip count once.
    source : Synthetic, Local or Download
        Where they came from. A synthetic corpus cannot be incomplete: what is there is what was made.
    known : Corpus
        The corpus that they are of.
    where : object
        The folder or list that holds them, for messages.
    do : str, optional
        Advice where clips are missing; default: to complete the copy, or to set `allow_partial`.

    Raises
    ------
    FinserError
        None at all, too many, or too few: then the message names what is missing.
    """
    speakers = {said.clip_id: said.speaker for said in utterances}
    expected, found = expected_count(source, known.name, speakers.values()), len(speakers)
    if not found:
        raise FinserError("no audio file", where=where, expected=f"{expected} clips of {known.title}")
    if found > expected:
        raise FinserError(f"more clips than {known.title} has", where=where, expected=expected, found=found)
    if found < expected and not getattr(source, "allow_partial", True):
        raise FinserError(
            f"{known.title} is incomplete",
            where=where,
            expected=f"{expected} clips",
            found=f"{found} clips, {lacking(speakers, known, expected)}",
            do=do or f"complete the copy, or accept it: fetch.{known.name}.allow_partial in params.yaml",
        )
    return expected


def lacking(speakers: Mapping[str, str], known: Corpus, expected: int) -> str:
    """What is missing, in a few words: its number, the speakers that are not there at all, and the first clips of the others.

    Parameters
    ----------
    speakers : mapping of str to str
        The speaker of every clip found.
    known : Corpus
        The corpus that they are of.
    expected : int
        How many clips there should be.
    """
    present = set(speakers.values())
    wanted, _ = published_part(known, present)
    absent = [speaker for speaker in wanted if speaker not in present]
    clips = [clip for clip in known.every(speakers) if clip not in speakers and _speaker(clip, known) in present]
    parts = [f"none of {_first(absent, 'speakers')}"] if absent else []
    parts += [_first(clips, "clips")] if clips else []
    return f"{expected - len(speakers)} missing" + (f": {'; '.join(parts)}" if parts else "")


def _speaker(clip: str, known: Corpus) -> str:
    return known.parse(PurePosixPath(f"{clip}.wav")).speaker


def _first(names: Collection[str], what: str) -> str:
    names = list(names)
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more {what}" if more > 0 else "")
