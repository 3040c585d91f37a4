"""Stage `fetch`: a corpus, in its publisher's layout, from the source that params.yaml names."""

from finser import layout
from finser.config.schema import Local, Params, Synthetic
from finser.corpora.provenance import provenance
from finser.files import whole_folder, write_json


def fetch(params: Params, corpus: str) -> None:
    """Fill data/raw/CORPUS, whole or not at all; SOURCE.json in it holds licence and origin.

    Only the code of the source is imported: no network library to synthesise, no synthesizer to copy or download.
    """
    source = params.fetch[corpus]
    verified: dict = {}
    with whole_folder(layout.raw(corpus)) as folder:
        if isinstance(source, Synthetic):
            from finser import synthetic

            synthetic.make(params, corpus, folder)
        elif isinstance(source, Local):
            from finser.corpora import local

            local.copy(source, corpus, folder)
        else:
            from finser.fetching import publishers

            verified = publishers.download(params, corpus, folder)
        write_json(folder / "SOURCE.json", provenance(source, corpus) | verified)
