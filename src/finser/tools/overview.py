"""`finser corpora`: the published corpora, and what this project has of each corpus that params.yaml names."""

from collections.abc import Iterator

import soundfile
from rich.filesize import decimal

from finser import layout
from finser.config import locations
from finser.config.params import Params
from finser.config.sections.fetch import Download, Local, Source, Synthetic, Table
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
        yield from (
            _of_table(source, corpus) if isinstance(source, Table) else _of_folder(source, corpus) if isinstance(source, Local) else ()
        )
    except FinserError as error:
        yield from (f"  fault: {line}" for line in str(error).splitlines())
    fetched = layout.raw(corpus) / "SOURCE.json"
    if fetched.exists():
        said = read_json(fetched)
        yield f"  fetched: {layout.raw(corpus)}, source {said.get('source')}" + (f", {said['files']:,} files" if "files" in said else "")
    if layout.clips(corpus).exists():
        gone = excluded(read_clips(corpus))
        yield f"  index: {read_clips(corpus).num_rows - len(gone):,} clips kept, {len(gone):,} excluded"


def _of_table(source: Table, corpus: str) -> Iterator[str]:
    table, root = locations.table(corpus), locations.root(corpus)
    yield f"  table: {table}; its paths are relative to {root}"
    listing = check_table(table, root, source, corpus)
    clips, files = listing.clips, set(listing.files.values())
    yield f"  found: {clips.num_rows:,} clips of {len(set(clips['speaker'].to_pylist())):,} speakers in {len(files):,} files"
    if listing.unused:
        yield f"  columns that are not used: {', '.join(listing.unused)}"
    others = sorted(str(path) for path in files_under(root, tuple(f".{name.lower()}" for name in soundfile.available_formats())))
    others = [path for path in others if path not in files]
    if others:
        yield f"  ignored: {len(others):,} audio files that the table does not list, e.g. {others[0]}"


def _of_folder(source: Local, corpus: str) -> Iterator[str]:
    folder = local.folder_of(corpus)
    yield f"  folder: {folder}"
    files, _ = local.survey(folder, corpus)
    expected, found = local.check_complete(folder, Local(allow_partial=True), corpus), len(local.clips(folder, corpus))
    partial = "" if found == expected else ", partial: accepted" if source.allow_partial else ", partial: refused (allow_partial is false)"
    yield f"  found: {files:,} files, {found:,} of {expected:,} clips{partial}"
    others = sorted({path.suffix.lower() or "no suffix" for path in files_under(folder, ("",)) if path.suffix.lower() not in local.COPIED})
    if others:
        yield f"  ignored: files with the suffixes {', '.join(others)}"


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
