"""Publisher, licence and source of a corpus: `fetch` records them in SOURCE.json, and the report shows them."""

from finser.config.sections.fetch import Download, Source, Synthetic, Table
from finser.corpora.known import registry


def provenance(source: Source, corpus: str) -> dict:
    """Return corpus, kind of source, licence and the publisher's page; of a download also its address and checksum."""
    if isinstance(source, Table):
        title = source.title or corpus
        return {"corpus": corpus, "title": title, "source": "table", "licence": source.licence, "home": source.home}
    known = registry.get(corpus)
    said = {"corpus": corpus, "title": known.title, "source": source.source, "licence": known.licence, "home": known.home}
    if isinstance(source, Synthetic):
        said["licence"] = "none: spoken by a synthesizer, in the layout of the corpus; no recording of it"
    if isinstance(source, Download):
        said["address"] = address_of(source, corpus)
        said |= {"checksum": source.checksum} if source.checksum else {}
    return said


def address_of(source: Download, corpus: str) -> str | None:
    """Return the download address of a corpus: that in params.yaml, else the publisher's; None if there is none."""
    published = registry.get(corpus).published
    return source.address or (published.address if published else None)
