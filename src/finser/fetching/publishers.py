"""Downloads of corpora from their publishers' servers, verified by checksum before use.

Downloads are kept in data/downloads/CORPUS: an interrupted stage resumes, and a stage that runs again does not download again.
"""

import json
from pathlib import Path, PurePosixPath

from finser import layout
from finser.config.params import Params
from finser.config.sections.fetch import Download
from finser.corpora import complete, local
from finser.corpora.folders import audio_files
from finser.corpora.known import registry
from finser.corpora.known.published import Archive, Dataverse, SingleFiles
from finser.corpora.known.utterance import Corpus
from finser.corpora.provenance import address_of
from finser.errors import FinserError
from finser.fetching import http
from finser.fetching.download import File, archive, singly
from finser.progress import say


def download(params: Params, corpus: str, folder: Path, patience: http.Patience | None = None) -> dict:
    """Download a corpus into `folder`: the archive at ``fetch.CORPUS.address``, or else what its publisher offers.

    Returns
    -------
    dict
        Verified sources for SOURCE.json: `address`, and `checksum` of the archive or `files`, the checksum of every file; for TESS also
        `record` and `version` of the data set.

    Raises
    ------
    FinserError
        The publisher offers no open download, the server fails, a checksum is wrong, or clips are missing. Complete and partial files stay
        in data/downloads/CORPUS for the next run.
    """
    source, known = params.fetch[corpus], registry.get(corpus)
    address = address_of(source, corpus)
    if not address:
        preset = params.preset if params.preset in ("local", "paper") else "local"
        do = f"{known.how_to_get}; then `finser preset {preset} PATH`"
        raise FinserError(f"{known.title} has no open download", where=corpus, do=do)
    say(f"{known.title}: licence {known.licence}; {known.home}; whoever downloads it accepts this licence")
    store = layout.downloads(corpus)
    store.mkdir(parents=True, exist_ok=True)
    patience = patience or http.Patience()
    with http.client(patience) as client:
        verified = _get(http.Link(client, patience), source, known, store, folder)
    local.survey(folder, corpus)
    complete.check(map(known.parse, audio_files(folder)), source, known, address)
    return {"address": address, **verified}


def _get(link: http.Link, source: Download, known: Corpus, store: Path, folder: Path) -> dict:
    """Download a corpus, and return the verified checksums."""
    published = known.published
    if source.address:
        archive(link, source.address, source.checksum, store, folder)
        return {"checksum": source.checksum}
    if isinstance(published, Archive):
        archive(link, published.address, published.checksum, store, folder, published.size, published.unpacked)
        return {"checksum": published.checksum}
    if isinstance(published, SingleFiles):
        files, bases, version = single_files(published), (published.address, *published.mirrors), {}
    else:
        files, bases = listed_files(link, known, store, source), (published.address,)
        version = {"record": published.record, "version": published.version}
    singly(link, bases, files, store, folder)
    return {**version, "files": {file.name: file.checksum for file in sorted(files, key=lambda file: file.name)}}


def single_files(published: SingleFiles) -> list[File]:
    """Return every file of a corpus that is published file by file."""
    return [File(f"{published.folder}/{name}", name, digest, size) for name, (digest, size) in published.files().items()]


def listed_files(link: http.Link, known: Corpus, store: Path, source: Download) -> list[File]:
    """Return every wav that a Dataverse server lists for a corpus, sorted into the folders of the clips.

    Raises
    ------
    FinserError
        The server returns no such list, one of another version, or one that lacks clips while ``source.allow_partial`` is not set.
    """
    published = known.published
    address = f"{published.address}/api/datasets/:persistentId/versions/{published.version}?persistentId={published.record}"
    files = [
        File(_place(known, entry["filename"]), f"api/access/datafile/{entry['id']}", f"md5:{entry['md5']}", entry["size"])
        for entry in _listed(link, address, published, store)
    ]
    complete.check([known.parse(PurePosixPath(file.name)) for file in files], source, known, address)
    return files


def _place(known: Corpus, name: str) -> str:
    """Return folder and name of a listed file: the clip's folder, and the publisher's name."""
    return f"{PurePosixPath(known.parse(PurePosixPath(name)).clip_id).parent.name}/{name}"


def _listed(link: http.Link, address: str, published: Dataverse, store: Path) -> list[dict]:
    """Return the list's entry of every wav: filename, id, md5, and size (None if unknown)."""
    listing = store / "listing.json"
    listing.unlink(missing_ok=True)
    http.discard(listing)  # it may have changed
    http.save(link, address, listing)
    try:
        data = json.loads(listing.read_bytes())["data"]
        version = f"{data['versionNumber']}.{data['versionMinorNumber']}"
        entries = [item["dataFile"] for item in data["files"]]
        wavs = [_entry(entry) for entry in entries if entry["filename"].lower().endswith(".wav")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FinserError(f"not the list of files that was expected ({error!r})", where=address) from None
    if version != published.version:
        raise FinserError("another version of the data set", where=address, expected=published.version, found=version)
    unsafe = [entry["filename"] for entry in wavs if set(entry["filename"]) & set("/\\\0")]
    if unsafe:
        raise FinserError("unsafe file name in the list", where=address, found=f"'{unsafe[0]}'")
    return wavs


def _entry(entry: dict) -> dict:
    """Return the fields of an entry that are used; raise an error if one is missing."""
    size = entry.get("filesize")
    return {
        "filename": str(entry["filename"]),
        "id": int(entry["id"]),
        "md5": str(entry["md5"]),
        "size": size if size is None else int(size),
    }
