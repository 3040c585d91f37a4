"""The clips of a corpus before they are read: from the names of its files, or from the rows of its table."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath

from finser.config.sections.fetch import Source, Table
from finser.config.sections.index import Index
from finser.corpora import complete
from finser.corpora.clips import LEFT_OUT
from finser.corpora.folders import audio_files
from finser.corpora.known import registry
from finser.corpora.known.utterance import Corpus, Utterance
from finser.corpora.sounds import Sound, Span
from finser.corpora.tables.labels import check_labels, emotion_of
from finser.corpora.tables.listing import AUDIO, NAME, stored
from finser.errors import FinserError, FinserErrors
from finser.progress import say


@dataclass
class Clip:
    """A clip of the index while the index is made.

    Attributes
    ----------
    file : PurePosixPath
        Its file, relative to data/raw/CORPUS.
    path : str
        The same file, relative to the user's folder.
    said : Utterance
        What its name or its row in a table says.
    reason : str
        Why it is excluded without being read, or "".
    sound : Sound or FinserError, optional
        What was measured, or why it cannot be read.
    """

    file: PurePosixPath
    path: str
    said: Utterance
    reason: str = ""
    sound: Sound | FinserError | None = None

    @property
    def span(self) -> Span:
        """Start and end in the file, in seconds."""
        return self.said.start, self.said.end

    @property
    def fault(self) -> FinserError | None:
        """Why the file cannot be read."""
        return self.sound if isinstance(self.sound, FinserError) else None

    def row(self) -> dict:
        """Return the row of the index, without status; `reason` is that of a clip which was not read, or could not be."""
        measured = asdict(self.sound) if isinstance(self.sound, Sound) else dict.fromkeys(one.name for one in fields(Sound))
        reason = f"unreadable: {self.fault.brief}" if self.fault else self.reason
        return {**asdict(self.said), "path": str(self.file), **measured, "reason": reason}


def named_clips(root: Path, source: Source, corpus: str) -> list[Clip]:
    """Return the clips of a published corpus, from the names of its files; errors as those of :func:`finser.corpora.complete.check`."""
    known, paths = registry.get(corpus), audio_files(root)
    utterances = _with_texts([known.parse(path) for path in paths], paths, root, known)
    complete.check(utterances, source, known, root)
    return [Clip(path, str(path), said) for path, said in zip(paths, utterances, strict=True)]


def listed_clips(root: Path, source: Table, corpus: str, classes: Sequence[str]) -> list[Clip]:
    """Return the clips of an own corpus, sorted by clip_id, from the table that `fetch` stored; a label without an emotion is an error.

    `classes` are ``emotions`` of params.yaml, of which the error proposes some.
    """
    table = stored(root).sort_by("clip")
    wrong = check_labels(table["label"].to_pylist(), source, corpus, root / NAME, classes)
    if wrong:
        raise FinserErrors(wrong)
    return [_of_row(row, source, corpus) for row in table.to_pylist()]


def _of_row(row: dict, source: Table, corpus: str) -> Clip:
    emotion = emotion_of(row["label"], source.emotions)
    said = Utterance(
        clip_id=f"{corpus}/{row['clip']}",
        corpus=corpus,
        speaker=f"{corpus}/{row['speaker']}",
        emotion=emotion or "",
        publisher_label=row["label"],
        **{name: row[name] for name in ("sex", "language", "intensity", "sentence", "start", "end", "part", "fold")},
    )
    reason = "" if emotion else f"{LEFT_OUT}'{row['label']}' is left out: fetch.{corpus}.emotions"
    return Clip(PurePosixPath(AUDIO, row["path"]), row["path"], said, reason)


def leave_out(clips: Sequence[Clip], corpus: str, options: Index) -> None:
    """Set the reason of the clips that a glob of ``index.exclude`` matches."""
    for clip in clips:
        glob = options.glob_of(corpus, clip.path)
        clip.reason = clip.reason or (f"index.exclude: {glob}" if glob else "")


def unmatched(clips: Sequence[Clip], corpus: str, options: Index) -> Iterator[str]:
    """Yield a line for every glob that is for this corpus, or for any, and matches none of its files."""
    for glob in options.exclude:
        alone = Index(exclude=(glob,))
        if glob.split("/")[0] in (corpus, "*", "**") and not any(alone.glob_of(corpus, clip.path) for clip in clips):
            yield f"  index.exclude: '{glob}' matches no file of {corpus}"


def _with_texts(utterances: list[Utterance], paths: Sequence[PurePosixPath], root: Path, known: Corpus) -> list[Utterance]:
    """Add the text of the sentence to the utterances if the corpus has transcripts."""
    if known.texts is None:
        return utterances
    texts = known.texts(root)
    completed, contradicted = [], []
    for said, path in zip(utterances, paths, strict=True):
        text, label = texts.get(path.stem, ("", ""))
        completed.append(Utterance(**{**asdict(said), "sentence": text or said.sentence}))
        if label and label != said.publisher_label:
            contradicted.append(path)
    if contradicted:
        say(f"{known.title}: transcripts contradict the folders of {len(contradicted)} files, e.g. {contradicted[0]}; the folders count")
    return completed
