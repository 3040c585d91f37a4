"""Copy the recordings of a table to data/raw/CORPUS, with the table."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq

from finser.config import locations
from finser.config.sections.fetch import Table
from finser.corpora import faults
from finser.corpora.folders import digest_of_files, size_of_audio, unreadable
from finser.corpora.tables.listing import AUDIO, NAME, Listing, check_table
from finser.errors import FinserError
from finser.files import check_room, checksum, disk_is_full
from finser.progress import say, track


def copy(source: Table, corpus: str, folder: Path, classes: Sequence[str], refuses: Callable[[str], bool]) -> dict[str, int | str]:
    """Check a table, and copy it and its recordings to `folder`.

    Parameters
    ----------
    source : Table
        Section ``fetch.CORPUS``; local.yaml has the paths of table and recordings.
    corpus : str
        Name of the corpus.
    folder : Path
        Where to copy.
    classes : sequence of str
        ``emotions`` of params.yaml.
    refuses : callable
        Whether it is an error if a file, as ``path`` in the table, is empty, a Git LFS pointer or an HTML page; otherwise it is copied, and
        `index` excludes it.

    Returns
    -------
    dict
        ``files``, ``bytes`` and ``digest`` of the recordings, and ``table``, the checksum of the table.

    Raises
    ------
    FinserError
        Rows or files are faulty, or the disk has too little space.
    """
    table, root = locations.table(corpus), locations.root(corpus)
    listing = check_table(table, root, source, corpus, classes)
    found = describe(table, root, listing, refuses)
    check_room(folder, int(found["bytes"]))
    for path, there in track(listing.files.items(), f"copying {corpus}"):
        _copy(root / there, folder / AUDIO / path)
    pq.write_table(listing.clips, folder / NAME)
    unused = sorted(source.emotions.keys() - set(listing.clips["label"].to_pylist()))
    notes = {"columns that are not used": listing.unused, "labels of fetch.emotions that the table lacks": unused}
    for what, names in notes.items():
        if names:
            say(f"{table}: {what}: {', '.join(names)}")
    return found


def describe(table: Path, root: Path, listing: Listing, refuses: Callable[[str], bool]) -> dict[str, int | str]:
    """Return number, total size and digest of the recordings, and the checksum of the table."""
    sizes = [_size(root / there, refuse=refuses(path)) for path, there in listing.files.items()]
    faults.refuse([size for size in sizes if isinstance(size, FinserError)], root)
    digest = digest_of_files(root, map(PurePosixPath, listing.files.values()))
    return {"files": len(sizes), "bytes": sum(sizes), "digest": digest, "table": f"sha256:{checksum(table)}"}


def _size(path: Path, *, refuse: bool) -> int | FinserError:
    """Return the size of a file in bytes, or why it is no recording."""
    try:
        return size_of_audio(path) if refuse else path.stat().st_size
    except FinserError as error:
        return error
    except OSError as error:
        unreadable(error, path)


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(path, target)
    except OSError as error:
        if disk_is_full(error):
            raise
        unreadable(error, path)
