"""Parsed file names, facts about corpora, and common code of the parsers."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from finser.corpora.known.published import Archive, Dataverse, SingleFiles
from finser.errors import FinserError


@dataclass(frozen=True)
class Utterance:
    """What is known of a clip before its audio is read: from the name of its file, or from a row of a table.

    Attributes
    ----------
    clip_id : str
        ``corpus/path`` in the publisher's canonical layout, without suffix: the same in every repack.
    corpus : str
        Name of the corpus.
    speaker : str
        ``corpus/id``, e.g. ``ravdess/01``.
    sex : str
        ``male``, ``female`` or, in an own corpus, "".
    language : str
        ``en``, ``zh`` or what a table states.
    emotion : str
        Of a published corpus, one of :data:`finser.emotions.EMOTIONS`; "" for a label that is left out.
    publisher_label : str
        The emotion as the publisher writes it, e.g. ``05``, ``ANG``, ``ps``.
    intensity : str
        The publisher's level of intensity in a word; empty where the name has none.
    sentence : str
        The spoken text if the name determines it, otherwise the sentence's identifier.
    start, end : float or None
        Seconds, of a part of a file.
    part : str
        ``train``, ``validation`` or ``test`` in the published split of a table; otherwise "".
    fold : int or None
        Fold of a table in which the clip is tested on.
    """

    clip_id: str
    corpus: str
    speaker: str
    sex: str
    language: str
    emotion: str
    publisher_label: str
    intensity: str
    sentence: str
    start: float | None = None
    end: float | None = None
    part: str = ""
    fold: int | None = None


@dataclass(frozen=True, eq=False)
class Corpus:
    """Facts about a corpus, independent of its files.

    Attributes
    ----------
    name, title : str
        Identifier (``crema_d``) and name in print (``CREMA-D``).
    folder : str
        Name of its folder under the PATH of ``finser preset local PATH``.
    licence, home : str
        Terms of use, and the publisher's page.
    every : callable
        Function from the clip_ids found to those of a complete copy, in order. (The 200 words of TESS are known only from the files found.)
    size : int, optional
        Size in bytes of the publisher's download, if published.
    published : Archive, SingleFiles or Dataverse, optional
        Source of ``finser fetch``.
    how_to_get : str
        Instructions for a manual download if there is no automatic one: form, address, target folder.
    clips : int
        The publisher's count of clips.
    speakers : tuple of str
        All speakers, as ``corpus/id``, sorted.
    emotions : tuple of str
        Emotions of the corpus, in the order of :data:`finser.emotions.EMOTIONS`.
    parse : callable
        Function from the path relative to the corpus's folder to an :class:`Utterance`; raises :class:`FinserError`.
    folds : tuple of tuples of str
        Published test groups of speakers, fold 1 first; empty if there are none.
    validation : mapping of int to tuple of str
        Published validation speakers per fold (counted from 1), if there are any.
    parts : mapping of tuples of str to int
        Published parts that are complete in themselves: their speakers, and their number of clips.
    repacks : tuple of str
        Names of the folder in common repacks; case and punctuation are ignored.
    texts : callable, optional
        Function from the corpus's folder to its transcripts: ``{file name without suffix: (text, label)}``.
    """

    name: str
    title: str
    folder: str
    licence: str
    home: str
    clips: int
    speakers: tuple[str, ...]
    emotions: tuple[str, ...]
    parse: Callable[[PurePosixPath], Utterance]
    every: Callable[[Collection[str]], Iterator[str]]
    size: int | None = None
    published: Archive | SingleFiles | Dataverse | None = None
    how_to_get: str = ""
    folds: tuple[tuple[str, ...], ...] = ()
    validation: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    parts: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    repacks: tuple[str, ...] = ()
    texts: Callable[..., dict[str, tuple[str, str]]] | None = None


def split_name(pattern: str, path: PurePosixPath, like: str) -> tuple[str, ...]:
    """Match the whole file name (suffix left off) with a regular expression and return its groups, "" for an absent one.

    Raises
    ------
    FinserError
        The name does not match; the message shows `like`, an example of a valid name.
    """
    match = re.fullmatch(pattern, path.stem)
    if match is None:
        raise FinserError("not a file name of this corpus", where=path, expected=f"a name like {like}", found=path.name)
    return tuple(group or "" for group in match.groups())


def look_up(code: str, table: Mapping[str, str], what: str, path: PurePosixPath) -> str:
    """Return the meaning of a `code` in a file name.

    Raises
    ------
    FinserError
        The code is not in the `table`.
    """
    if code not in table:
        known = list(table)
        allowed = f"one of {' '.join(known)}" if len(known) <= 12 else f"{known[0]} ... {known[-1]}"
        raise FinserError(f"unknown {what}", where=path, expected=allowed, found=f"'{code}'")
    return table[code]


def check_folder(agrees: bool, path: PurePosixPath, says: str) -> None:
    """Raise an error for a file whose folder contradicts its name."""
    if not agrees:
        raise FinserError(
            "the file is in a folder that contradicts its name", where=path, expected=f"a folder of {says}", found=path.parent
        )
