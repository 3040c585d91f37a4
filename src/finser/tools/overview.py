"""`finser corpora`: the published corpora, and what this project has of each corpus that params.yaml names."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath

from rich.filesize import decimal

from finser import layout
from finser.config import locations
from finser.config.params import Params
from finser.config.sections.fetch import Download, Local, Source, Synthetic, Table
from finser.config.sections.index import Index
from finser.corpora import local
from finser.corpora.clips import read_clips
from finser.corpora.counts import expected_count
from finser.corpora.folders import audio_files, files_under
from finser.corpora.index import excluded
from finser.corpora.known import registry
from finser.corpora.known.utterance import Corpus
from finser.corpora.tables.listing import check_table
from finser.errors import FinserError
from finser.files import read_json
from finser.tools.table import align

AUDIO = {  # suffixes of audio files
    *(".aac", ".aif", ".aifc", ".aiff", ".amr", ".au", ".caf", ".flac", ".m4a", ".mp2", ".mp3", ".mp4"),
    *(".oga", ".ogg", ".opus", ".rf64", ".snd", ".sph", ".w64", ".wav", ".webm", ".wma"),
}
HEAD = ("corpus", "licence", "clips", "size", "how", "state")


def overview(params: Params | None) -> Iterator[str]:
    """Yield a table of the published corpora, instructions for those that cannot be downloaded, and a paragraph per corpus of params.yaml.

    Parameters
    ----------
    params : Params, optional
        The project's parameters; None outside a project.
    """
    yield from align(HEAD, (row(known, params.fetch.get(known.name) if params else None) for known in registry.CORPORA.values()))
    for known in registry.CORPORA.values():
        if known.how_to_get:
            yield f"{known.title}: {known.how_to_get}; then `finser preset local PATH`"
    for corpus in params.corpora if params else ():
        yield from ("", *configured(params, corpus))
    home = locations.home()
    if home and (strange := local.unknown_folders(home)):
        yield f"{home} ({locations.VARIABLE}): folders of no corpus, ignored: {', '.join(strange)}"


def configured(params: Params, corpus: str) -> Iterator[str]:
    """Yield what is configured for a corpus, what lies there, and what the stages made of it."""
    source = params.fetch[corpus]
    pooled = "" if corpus in params.pooled else "; not in pooled: no classifier uses it"
    yield f"{corpus}: source {source.source}{pooled}"
    try:
        if isinstance(source, Table):
            yield from _of_table(source, corpus, params.emotions)
        if isinstance(source, Local):
            yield from _of_folder(source, corpus, params.index)
        yield from _made(corpus)
    except FinserError as error:
        yield from (f"  fault: {line}" for line in str(error).splitlines())


def _made(corpus: str) -> Iterator[str]:
    """Yield what `fetch` and `index` made of a corpus."""
    fetched = layout.raw(corpus) / "SOURCE.json"
    if fetched.exists():
        said = read_json(fetched)
        yield f"  fetched: {layout.raw(corpus)}, source {said.get('source')}" + (f", {said['files']:,} files" if "files" in said else "")
    if layout.clips(corpus).exists():
        clips = read_clips(corpus)
        gone = excluded(clips)
        yield f"  index: {clips.num_rows - len(gone):,} clips kept, {len(gone):,} excluded"


def _of_table(source: Table, corpus: str, classes: Sequence[str]) -> Iterator[str]:
    table, root = locations.table(corpus), locations.root(corpus)
    yield f"  table: {table}; its paths are relative to {root}"
    listing = check_table(table, root, source, corpus, classes)
    clips, files = listing.clips, set(listing.files.values())
    yield f"  found: {clips.num_rows:,} clips of {len(set(clips['speaker'].to_pylist())):,} speakers in {len(files):,} files"
    if listing.unused:
        yield f"  columns that are not used: {', '.join(listing.unused)}"
    others = sorted(path for path in files_under(root, ("",)) if str(path) not in files and root / path != table)
    audio = [path for path in others if path.suffix.lower() in AUDIO]
    if audio:
        yield f"  ignored: {len(audio):,} audio files that the table does not list, e.g. {audio[0]}"
    yield from _ignored(set(others) - set(audio))


def _of_folder(source: Local, corpus: str, options: Index) -> Iterator[str]:
    folder = local.folder_of(corpus)
    yield f"  folder: {folder}"
    files, _ = local.survey(folder, corpus, partial(options.refuses, corpus))
    expected, found = local.check_complete(folder, Local(allow_partial=True), corpus), len(local.clips(folder, corpus))
    state = "" if found == expected else ", partial: accepted" if source.allow_partial else ", partial: refused (allow_partial is false)"
    yield f"  found: {files:,} files, {found:,} of {expected:,} clips{state}"
    yield from _ignored(path for path in files_under(folder, ("",)) if path.suffix.lower() not in local.COPIED)


def _ignored(paths: Iterable[PurePosixPath]) -> Iterator[str]:
    """Yield a line with the suffixes of files that are neither copied nor read."""
    suffixes = sorted({path.suffix.lower() or "none" for path in paths})
    if suffixes:
        yield f"  ignored: files with the suffixes {', '.join(suffixes)}"


def row(known: Corpus, source: Source | None) -> tuple[str, ...]:
    """Return the cells of one corpus, under :data:`HEAD`."""
    size = decimal(known.size) if known.size else "unknown"
    how = "by hand" if known.how_to_get else "download"
    return known.title, known.licence, f"{known.clips:,}", size, how, state(known, source)


def state(known: Corpus, source: Source | None) -> str:
    """Return how much of a corpus is in data/raw, as found/expected clips, or is downloaded so far."""
    root, begun = layout.raw(known.name), layout.downloads(known.name)
    if (root / "SOURCE.json").exists():
        kind = read_json(root / "SOURCE.json").get("source")
        said = [known.parse(name) for name in audio_files(root)]
        found = len({utterance.clip_id for utterance in said})
        if kind == "synthetic":
            planned = f"/{expected_count(source, known.name):,}" if isinstance(source, Synthetic) else ""
            return f"fetched (synthetic): {found:,}{planned} clips, no recordings"
        published = Download(source="download")  # independent of params.yaml
        expected = expected_count(published, known.name, {utterance.speaker for utterance in said})
        return f"fetched ({kind}): {found:,}/{expected:,} clips"
    if begun.exists():
        files = [path for path in begun.rglob("*") if path.is_file() and path.suffix not in (".mark", ".wrong")]
        return f"not fetched; {decimal(sum(path.stat().st_size for path in files))} downloaded so far"
    return "not fetched"
