"""Stage `fetch`: a corpus, in its publisher's layout, from the source in params.yaml."""

from functools import partial

from finser import layout
from finser.config import locations
from finser.config.params import Params
from finser.config.sections.fetch import Local, Synthetic, Table
from finser.corpora.provenance import provenance
from finser.files import whole_folder, write_json
from finser.project.found import record


def fetch(params: Params, corpus: str) -> None:
    """Step: fill data/raw/CORPUS, whole or not at all; SOURCE.json in it holds licence and origin.

    For a local folder or a table SOURCE.json also has `files`, `bytes` and `digest`; data/found keeps them, so that the next run reports a
    difference.
    Only the code of the source is imported: synthesis needs no network library, and a copy or download needs no synthesizer.
    """
    source, refuses = params.fetch[corpus], partial(params.index.refuses, corpus)
    details: dict = {}
    with whole_folder(layout.raw(corpus)) as folder:
        if isinstance(source, Synthetic):
            from finser import synthetic

            synthetic.make(params, corpus, folder)
        elif isinstance(source, Local):
            from finser.corpora import local

            details = local.copy(local.folder_of(corpus), source, corpus, folder, refuses)
        elif isinstance(source, Table):
            from finser.corpora.tables import copying

            details = copying.copy(source, corpus, folder, params.emotions, refuses)
        else:
            from finser.fetching import publishers

            details = publishers.download(params, corpus, folder)
        write_json(folder / "SOURCE.json", provenance(source, corpus) | details)
    if isinstance(source, Local | Table):
        where = locations.table(corpus) if isinstance(source, Table) else local.folder_of(corpus)
        record(layout.found("fetch", corpus), details, where)
