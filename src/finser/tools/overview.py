"""`finser corpora`: list the five corpora with their licences, sizes, and state in this project."""

from collections.abc import Iterator

from rich.filesize import decimal

from finser import layout
from finser.config.params import Params
from finser.config.sections.fetch import Download, Source, Synthetic
from finser.corpora.counts import expected_count
from finser.corpora.folders import audio_files
from finser.corpora.known import registry
from finser.corpora.known.utterance import Corpus
from finser.files import read_json
from finser.tools.table import align

HEAD = ("corpus", "licence", "clips", "size", "how", "state")


def overview(params: Params | None) -> Iterator[str]:
    """Yield the lines of a table, then instructions for the corpora that cannot be downloaded.

    Parameters
    ----------
    params : Params, optional
        They determine the number of clips of a synthetic corpus.
    """
    yield from align(HEAD, (row(known, params.fetch.get(known.name) if params else None) for known in registry.CORPORA.values()))
    for known in registry.CORPORA.values():
        if known.how_to_get:
            yield f"{known.title}: {known.how_to_get}; then `finser preset local PATH`"


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
