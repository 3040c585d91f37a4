"""DVC's record of the files that running jobs read and write, .dvc/tmp/rwlock, kept whole while a stage command runs.

DVC identifies the owner of an entry by its process number. DVC on another host, where no process has this number, removes the entry; the
owner then ends with an error when it wants to remove it itself, and its result is not recorded. A stage command therefore restores the
entries of the DVC that runs it. Where another process has the number of a dead DVC, its entries block every later job; a rule of
Snakemake therefore removes entries of jobs that nobody claims.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from finser.files import write_json
from finser.progress import say

TMP = Path(".dvc/tmp")
JOB = re.compile(r" repro --single-item (\S+)$")  # how a rule runs DVC


@contextmanager
def kept(reads: Iterable[str], writes: Iterable[str]) -> Iterator[None]:
    """On exit, restore the entries that the calling DVC must have; nothing happens if none is missing, or no DVC called.

    Parameters
    ----------
    reads, writes : iterable of str
        Inputs and outputs of the job. While a command runs, DVC reads and writes each output (``Stage.run`` and ``Stage.reproduce``), and
        another DVC may have removed both entries already. Of the inputs, those that DVC reads when the context begins are restored.
    """
    info = _caller()
    inputs, outputs = ({str(Path(path).absolute()) for path in paths} for paths in (reads, writes))
    before = {path for path, several in _recorded()["read"].items() if path in inputs and info in several}
    try:
        yield
    finally:
        now = _recorded()
        lost = [path for path in before | outputs if info not in now["read"].get(path, [])]
        if info and (lost or any(now["write"].get(path) != info for path in outputs)):
            _edit(lambda lock: _restore(lock, info, lost, outputs))


def _restore(lock: dict, info: dict, reads: Iterable[str], writes: Iterable[str]) -> None:
    for path in reads:
        lock["read"][path].append(info)
    for path in writes:
        lock["write"][path] = info


def drop_dead(running: Iterable[str]) -> None:
    """Remove the entries of DVCs that rules ran, of jobs that nobody runs: they were killed.

    Parameters
    ----------
    running : iterable of str
        Jobs that run now, by :func:`finser.project.claims.running`.
    """
    repair()
    alive = set(running)

    def dead(info: dict) -> bool:
        """Return whether a rule ran this DVC, and its job does not run."""
        found = JOB.search(info["cmd"])
        return bool(found) and found[1] not in alive

    def drop(lock: dict) -> None:
        """Leave out the dead entries."""
        lock["read"] = {path: left for path, several in lock["read"].items() if (left := [one for one in several if not dead(one)])}
        lock["write"] = {path: one for path, one in lock["write"].items() if not dead(one)}

    recorded = _recorded()
    if any(map(dead, [*recorded["write"].values(), *(one for several in recorded["read"].values() for one in several)])):
        _edit(drop)


def repair() -> None:
    """Write the record anew if DVC was killed while it wrote it: every later DVC would end with an error.

    The entries of jobs that run are lost. A stage command restores those of its own DVC when it ends, and the claim of a job keeps others
    from running it.
    """
    if is_whole():
        return
    from dvc.exceptions import DvcException
    from dvc.lock import make_lock

    guard = make_lock(str(TMP.absolute() / "rwlock.lock"), tmp_dir=str(TMP.absolute()), hardlink_lock=_hardlinks())
    with suppress(OSError, DvcException), guard:  # nobody writes now
        if not is_whole():
            write_json(TMP / "rwlock", {})
            say(f"{TMP / 'rwlock'}: cut short, since DVC was killed while it wrote it; written anew")


def is_whole() -> bool:
    """Return whether the record is JSON, or cannot be read at all: it may not exist."""
    try:
        json.loads((TMP / "rwlock").read_text(encoding="utf-8"))
    except OSError:
        return True
    except ValueError:
        return False
    return True


def _hardlinks() -> bool:
    """Return whether DVC guards its files by hard links."""
    from dvc.config import Config

    return Config(".dvc")["core"].get("hardlink_lock", False)


def _caller() -> dict:
    """Return what DVC writes of itself, if DVC called this process; {} otherwise."""
    for process in psutil.Process().parents():
        with suppress(psutil.Error):
            words = process.cmdline()
            if len(words) > 1 and Path(words[1]).name == "dvc":
                return {"pid": process.pid, "cmd": " ".join(words[1:])}  # as dvc.stage.decorators has it: sys.argv
    return {}


def _recorded() -> dict[str, dict]:
    """Return the record: path -> entries of readers, path -> entry of the writer. Without or with a damaged file, none."""
    try:
        recorded = json.loads((TMP / "rwlock").read_text(encoding="utf-8"))
        return {"read": dict(recorded.get("read", {})), "write": dict(recorded.get("write", {}))}
    except (OSError, ValueError, TypeError, AttributeError):
        return {"read": {}, "write": {}}


def _edit(change: Callable[[dict], None]) -> None:
    """Change the record through DVC's own function, which guards the file and knows its format; its import takes .5 s."""
    from dvc.exceptions import DvcException
    from dvc.fs import localfs
    from dvc.rwlock import _edit_rwlock as edit

    with suppress(OSError, DvcException), edit(str(TMP.absolute()), localfs, _hardlinks()) as lock:
        change(lock)
