"""Files and folders that are written whole or not at all, their checksums, and what servers send in place of files."""

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.filesize import decimal

from finser.errors import FinserError
from finser.hosts import alive, here

PARTIAL = ".partial-"  # .dvcignore lists it: what a kill leaves behind is not content
OLD = 7 * 24 * 3600  # seconds without a change after which a process elsewhere counts as dead: no job runs for a week
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no space, no quota, over the limit of one file
DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
LFS_POINTER = b"version https://git-lfs"
HTML = rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*|<\?xml[^>]*>\s*)*<(!doctype\s+html|html|head)\b"
HEAD = 4096  # bytes of a file that are searched for these


def disk_is_full(error: BaseException) -> bool:
    """Whether `error` means that something could not be written because the disk is full, whichever library reports it."""
    said = re.search(r"(?:\(os error |\[Errno )(\d+)", str(error))  # safetensors and shutil.copytree tell the number in their text only
    return (int(said[1]) if said else getattr(error, "errno", None)) in FULL


def why(error: BaseException) -> str:
    """What an error says, in words: the system's, else the library's, else the name of its kind; never empty, never None."""
    words = getattr(error, "strerror", None) or getattr(error, "error_string", None)
    if not words:  # an OSError without them would write "[Errno None] None"
        words = " ".join(str(part) for part in error.args if part is not None) if isinstance(error, OSError) else str(error)
    return " ".join(str(words).split()) or type(error).__name__


def refusal(target: Path, error: BaseException) -> FinserError:
    """One line that says that `target` could not be written, and why."""
    full = disk_is_full(error)
    return FinserError(
        "no space left to write it" if full else f"cannot be written ({why(error)})",
        where=target,
        do=f"nothing half-written was kept; {'free some space' if full else 'correct this'} and run again",
    )


def _own_name(target: Path) -> Path:
    """A temporary path beside `target` that names place, process and a random number: no other run writes or removes it."""
    return target.parent / f"{PARTIAL}{target.name}-{here()}-{os.getpid()}-{secrets.token_hex(4)}"


def _abandoned(target: Path) -> Iterator[Path]:
    """Yield what killed processes left beside `target`: those of this place, and those of other places after :data:`OLD` seconds."""
    name = re.compile(re.escape(f"{PARTIAL}{target.name}-") + r"([\w.]+)-(\d+)-[0-9a-f]{8}(-old)?")  # not those of NAME-x
    for path in target.parent.glob(f"{PARTIAL}*"):
        found = name.fullmatch(path.name)
        if found and (_age(path) > OLD if found[1] != here() else not alive(int(found[2]))):
            yield path


def _age(path: Path) -> float:
    """Return the seconds since the last change of a file, or of the newest file in a folder; 0 if it vanishes meanwhile."""
    try:
        return time.time() - max(one.stat().st_mtime for one in (path, *path.rglob("*")))
    except OSError:
        return 0.0


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that it holds; nothing happens where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success it becomes `target`, on failure it vanishes.

    The data is flushed to disk before the rename, so that `target` is never a truncated file, even after a power cut.

    Raises
    ------
    FinserError
        The disk is full, or `target` must not or cannot be written.
    """
    with _beside(target) as partial:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        _rename(partial, target)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `target`; on success it replaces `target`, on failure it vanishes.

    Raises
    ------
    FinserError
        The disk is full, or `target` must not or cannot be written.
    """
    with _beside(target) as partial:
        _make(partial, target)
        yield partial
        _flush(partial)
        while target.exists():  # a rename cannot replace a folder that holds something; another run may put its own there meanwhile
            aside = partial.with_name(f"{partial.name}-old")
            with suppress(FileNotFoundError):  # another run has just stepped it aside
                _step_aside(target, aside)
            try:
                partial.replace(target)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    _put_back(aside, target)
                    raise refusal(target, error) from None
            remove(aside)
            if not partial.exists():
                return
        _rename(partial, target)


def _step_aside(target: Path, aside: Path) -> None:
    try:
        target.replace(aside)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise refusal(target, error) from None


def _put_back(aside: Path, target: Path) -> None:
    if aside.exists() and not target.exists():
        aside.replace(target)


def _flush(folder: Path) -> None:
    """Write a folder's files to disk, so that none is truncated after a power cut; all get the mode of new files (safetensors has 0600)."""
    with tempfile.TemporaryDirectory(dir=folder) as probe:
        Path(probe, "new").touch()
        mode = Path(probe, "new").stat().st_mode
    for path in folder.rglob("*"):
        if path.is_file():
            with suppress(PermissionError):  # file systems without modes
                path.chmod(mode)
            with path.open("rb") as file:
                os.fsync(file.fileno())


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Yield a temporary path for `target`. It is deleted at the end if it still exists; write errors name `target`."""
    partial = _own_name(target)
    _make(target.parent, target)
    for leftover in _abandoned(target):
        remove(leftover)
    try:
        yield partial
    except Exception as error:
        refused = getattr(error, "errno", None) in DENIED and str(error.filename).startswith(str(partial))
        if refused or disk_is_full(error):
            raise refusal(target, error) from None
        raise
    finally:
        remove(partial)


def check_room(folder: Path, needed: int) -> None:
    """Refuse to begin what will not fit: `needed` bytes on the disk of `folder`, which need not exist yet."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise FinserError(
            "not enough disk space", where=folder, expected=f"{decimal(needed)} free", found=decimal(free), do="make room and run it again"
        )


def _make(folder: Path, target: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(target, error) from None


def _rename(old: Path, new: Path) -> None:
    try:
        old.replace(new)
    except OSError as error:
        raise refusal(new, error) from None


def checksum(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of a file; `algorithm` is any name that hashlib knows (``md5``, ``sha256``)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def impostor(path: Path) -> str:
    """``a Git LFS pointer`` or ``an HTML page ...`` if a server sent that in place of the file, else ""."""
    with path.open("rb") as file:
        start = file.read(HEAD)
    if start.startswith(LFS_POINTER):
        return "a Git LFS pointer"
    if re.match(HTML, start, re.IGNORECASE):
        title = re.search(rb"<title[^>]*>([^<]*)", start, re.IGNORECASE)
        words = " ".join(title[1].decode(errors="replace").split()) if title else ""
        return f"an HTML page ('{words}')" if words else "an HTML page"
    return ""


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON, whole or not at all; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict:
    """Read a JSON file.

    Raises
    ------
    FinserError
        The file is missing, cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FinserError("no such file", where=path, do="run the stage that makes it: dvc repro") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FinserError(f"not JSON ({error})", where=path, do="delete it and run again") from None
    except OSError as error:
        raise FinserError(f"cannot be read ({why(error)})", where=path) from None
