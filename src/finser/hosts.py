"""Where a process runs, and whether it still runs: hosts of a cluster, and containers, share the project's folder."""

import os
import re
import socket
from functools import cache
from pathlib import Path


@cache
def here() -> str:
    """Return the name of this process's place: the set of processes whose numbers it can compare with its own.

    It consists of the host's name, its boot (two hosts, or containers on them, may have one name) and its namespace of process numbers.
    A place has letters, digits, ``_`` and ``.``.
    """
    return ".".join([re.sub(r"\W", "_", socket.gethostname()), _first(Path("/proc/sys/kernel/random/boot_id"), 8), _namespace()])


def _first(path: Path, size: int) -> str:
    try:
        return path.read_text(encoding="ascii")[:size]
    except OSError:  # no Linux
        return "0"


def _namespace() -> str:
    try:
        return re.sub(r"\D", "", str(Path("/proc/self/ns/pid").readlink()))
    except OSError:  # no Linux
        return "0"


def born(pid: int) -> int | None:
    """Return when a process of this place began, in ticks since the boot; None if it does not run, 0 without Linux's /proc.

    A later process of the same number has another time. A zombie, which has ended and is not reaped, does not run.
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:  # another user's process
        pass
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()  # proc(5)
    except FileNotFoundError:  # it has just ended, or there is no /proc
        return None if Path("/proc/self/stat").exists() else 0
    return None if state == "Z" else int(fields[18])


def alive(pid: int) -> bool:
    """Return whether a process of this place runs."""
    return born(pid) is not None
