"""Records of files outside the project that a stage read, so that the next run reports whether they have changed.

DVC tracks files in the project only. A change of a corpus or of noise recordings elsewhere makes no stage stale.
"""

from pathlib import Path

from finser.files import read_json, write_json
from finser.progress import say


def record(path: Path, found: dict[str, int | str], where: Path) -> None:
    """Write a summary of the files at `where` to `path`, and report if it differs from that of the last run.

    Parameters
    ----------
    path : Path
        Path from :func:`finser.layout.found`.
    found : dict
        ``files`` (their number), ``bytes`` (their total size) and ``digest`` (of their names and sizes).
    where : Path
        Folder of the files, for the message.
    """
    before = read_json(path) if path.exists() else found
    if before != found:
        say(f"{where} has changed since the last run: {shown(found)}; before: {shown(before)}")
    write_json(path, found)


def shown(found: dict[str, int | str]) -> str:
    """Return a summary as text, e.g. ``1,440 files of 590,000,000 bytes (sha256:0123456789ab)``."""
    return f"{found['files']:,} files of {found['bytes']:,} bytes ({str(found['digest'])[:19]})"
