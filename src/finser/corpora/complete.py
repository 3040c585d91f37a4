"""Check that a copy of a corpus is complete; the error lists what is missing."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePosixPath

from finser.config.sections.fetch import Source
from finser.corpora.counts import expected_count, published_part
from finser.corpora.known.utterance import Corpus, Utterance
from finser.errors import FinserError

NAMED = 3  # missing speakers and clips named in an error; the others are counted


def check(utterances: Iterable[Utterance], source: Source, known: Corpus, where: object, do: str = "") -> int:
    """Raise an error for too few clips (unless `allow_partial` is set) or too many; return the number of a complete copy.

    Parameters
    ----------
    utterances : iterable of Utterance
        One for each file found; two files of the same clip count once.
    source : Synthetic, Local or Download
        Source of the corpus. A synthetic corpus cannot be incomplete.
    known : Corpus
        The corpus.
    where : object
        Folder or list of the files, for messages.
    do : str, optional
        Advice if clips are missing; by default to complete the copy, or to set `allow_partial`.

    Raises
    ------
    FinserError
        There are no clips, too many, or too few. In the last case the message lists missing speakers and clips.
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
    """Describe the missing clips: their number, speakers without any clip, and the first missing clips of other speakers.

    Parameters
    ----------
    speakers : mapping of str to str
        The speaker of every clip found.
    known : Corpus
        The corpus.
    expected : int
        Number of clips of a complete copy.
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
