"""Stage `fetch`: a corpus, in its publisher's layout, from the source that params.yaml names."""

from finser import layout
from finser.config.schema import Download, Local, Params, Source, Synthetic
from finser.corpora import local, registry
from finser.files import whole_folder, write_json


def fetch(params: Params, corpus: str) -> None:
    """Fill data/raw/CORPUS, whole or not at all; SOURCE.json in it says whose they are."""
    source = params.fetch[corpus]
    verified: dict = {}
    with whole_folder(layout.raw(corpus)) as folder:
        if isinstance(source, Synthetic):
            from finser import synthetic  # loads the synthesizer

            synthetic.make(params, corpus, folder)
        elif isinstance(source, Local):
            local.copy(source, corpus, folder)
        else:
            from finser.corpora import download  # only here is a network library needed

            verified = download.download(params, corpus, folder)
        write_json(folder / "SOURCE.json", provenance(source, corpus) | verified)


def provenance(source: Source, corpus: str) -> dict:
    """Corpus, kind of source, licence and the publisher's page, and the address that its publisher gives."""
    known = registry.get(corpus)
    said = {"corpus": corpus, "title": known.title, "source": source.source, "licence": known.licence, "home": known.home}
    if isinstance(source, Synthetic):
        said["licence"] = "none: spoken by a synthesizer, in the layout of the corpus; no recording of it"
    if isinstance(source, Download):
        from finser.corpora import download

        said["address"] = download.address_of(source, corpus)
        said |= {"checksum": source.checksum} if source.checksum else {}
    return said
