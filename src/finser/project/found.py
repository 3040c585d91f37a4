"""Files outside the project that a stage read: recorded, so that the next run says if they have changed.

DVC follows what lies in the project. Of a corpus or of recordings of noise elsewhere it sees nothing, so a change makes no stage stale.
"""

from pathlib import Path

from finser.files import read_json, write_json
from finser.progress import say


def record(path: Path, found: dict[str, int | str], where: Path) -> None:
    """Write what was found at `where` to `path`, and say so if the last run found something else.

    Parameters
    ----------
    path : Path
        As :func:`finser.layout.found` gives it.
    found : dict
        ``files`` (their number), ``bytes`` (their total size) and ``digest`` (of their names and sizes).
    where : Path
        The folder, for the message.
    """
    before = read_json(path) if path.exists() else found
    if before != found:
        say(f"{where} has changed since the last run: {shown(found)}; before: {shown(before)}")
    write_json(path, found)


def shown(found: dict[str, int | str]) -> str:
    """In words, e.g. ``1,440 files of 590,000,000 bytes (sha256:0123456789ab)``."""
    return f"{found['files']:,} files of {found['bytes']:,} bytes ({str(found['digest'])[:19]})"
