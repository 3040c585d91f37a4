"""Whose a corpus is and where it comes from: what `fetch` records in SOURCE.json and what the report shows."""

from finser.config.sections.fetch import Download, Source, Synthetic
from finser.corpora import registry


def provenance(source: Source, corpus: str) -> dict:
    """Corpus, kind of source, licence and the publisher's page; of a download also its address and the checksum in params.yaml."""
    known = registry.get(corpus)
    said = {"corpus": corpus, "title": known.title, "source": source.source, "licence": known.licence, "home": known.home}
    if isinstance(source, Synthetic):
        said["licence"] = "none: spoken by a synthesizer, in the layout of the corpus; no recording of it"
    if isinstance(source, Download):
        said["address"] = address_of(source, corpus)
        said |= {"checksum": source.checksum} if source.checksum else {}
    return said


def address_of(source: Download, corpus: str) -> str | None:
    """The address that a corpus is downloaded from: the one in params.yaml, or else the publisher's; None if there is none."""
    published = registry.get(corpus).published
    return source.address or (published.address if published else None)
