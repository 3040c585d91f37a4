"""Stage `fetch`: a corpus, in its publisher's layout, from the source that params.yaml names."""

from finser import layout
from finser.config.params import Params
from finser.config.sections.fetch import Download, Local, Source, Synthetic
from finser.corpora import local, registry
from finser.files import whole_folder, write_json
from finser.project.found import record


def fetch(params: Params, corpus: str) -> None:
    """Fill data/raw/CORPUS, whole or not at all; SOURCE.json in it says where the files are from.

    Of a local folder SOURCE.json also has `files`, `bytes` and `digest`; data/found keeps them, so that the next run says if they differ.
    """
    source = params.fetch[corpus]
    details: dict = {}
    with whole_folder(layout.raw(corpus)) as folder:
        if isinstance(source, Synthetic):
            from finser import synthetic  # loads the synthesizer

            synthetic.make(params, corpus, folder)
        elif isinstance(source, Local):
            details = local.copy(local.folder_of(corpus), source, corpus, folder)
        else:
            from finser.corpora import download  # only here is a network library needed

            details = download.download(params, corpus, folder)
        write_json(folder / "SOURCE.json", provenance(source, corpus) | details)
    if isinstance(source, Local):
        record(layout.found("fetch", corpus), details, local.folder_of(corpus))


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
