"""One run of a job at a time, on all hosts that share the project's folder.

DVC's own record of running jobs, .dvc/tmp/rwlock, holds process numbers without a host: another host takes their owners for dead. A claim
is a file .dvc/tmp/jobs/JOB that one process creates (the system lets one process alone create a file), with the record of its owner. The
owner changes the file's time every few seconds: its heartbeat. A claim whose owner ran here and has ended is free at once; one from
elsewhere is free when its heartbeat has stopped for :data:`LIFETIME`.

``python -m finser.project.claims JOB COMMAND...`` holds the claim of a job while a command runs, and waits for it first. Every rule of
Snakemake runs DVC in this way, so that DVC begins only when no other host runs the job. A stage command that finds its job claimed by
another one, as two ``dvc repro`` on two hosts may, ends with an error.

flufl.lock, which DVC has, was tried: its lock file holds no record of the owner, so that two files would have to agree.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

from finser.errors import FinserError
from finser.files import refusal, write_json
from finser.hosts import born, here
from finser.project import dvc_locks

FOLDER = Path(".dvc/tmp/jobs")
LIFETIME = 120  # seconds without a heartbeat after which an owner elsewhere counts as dead
BEAT = 20  # seconds between heartbeats
POLL = 2  # seconds between two attempts to get a claim
HELD = "FINSER_CLAIM"  # environment variable: token of the claim that a parent process holds


@dataclass(frozen=True)
class Owner:
    """Record of the processes that run a job.

    Attributes
    ----------
    place : str
        Where they run; see :func:`finser.hosts.here`.
    processes : tuple of (int, int)
        The process that made the claim, and those that joined it: number, and when it began (:func:`finser.hosts.born`), because
        numbers are used again.
    token : str
        A random number, which processes started by the owner know.
    host : str
        Name of their host.
    started : str
        Time of the claim.
    slurm : str or None
        Number of the Slurm job.
    """

    place: str = field(default_factory=here)
    processes: tuple[tuple[int, int], ...] = field(default_factory=lambda: (_process(os.getpid()),))
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    host: str = field(default_factory=socket.gethostname)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    slurm: str | None = field(default_factory=lambda: os.environ.get("SLURM_JOB_ID"))

    @property
    def words(self) -> str:
        """Return who runs the job, e.g. ``process 17 on node3, Slurm job 39, since 2026-11-29T10:00:00+00:00``."""
        slurm = f", Slurm job {self.slurm}" if self.slurm else ""
        return f"process {self.processes[0][0]} on {self.host}{slurm}, since {self.started}"

    @property
    def stop(self) -> str:
        """Return the command that stops the job."""
        if self.slurm:
            return f"scancel {self.slurm}"
        container = ", in its container" if self.host == socket.gethostname() and self.place != here() else ""
        return f"kill {self.processes[0][0]}, on {self.host}{container}"


@contextmanager
def claim(job: str, *, wait: bool) -> Iterator[None]:
    """Hold the claim of a job within the context, or join the claim that a parent process holds.

    Parameters
    ----------
    job : str
        The job's address, e.g. ``label@ravdess``.
    wait : bool
        Whether to wait for another owner instead of raising an error.

    Raises
    ------
    FinserError
        Another process runs the job, and `wait` is false; or the claim cannot be written.
    """
    path, inherited = FOLDER / job, os.environ.get(HELD)
    parent = owner(job) if inherited else None
    if parent and parent.token == inherited:
        join(job, os.getpid(), inherited)
        with _heartbeat(path, inherited):
            yield
        return
    own = _acquire(job, wait)
    os.environ[HELD] = own.token
    try:
        with _heartbeat(path, own.token):
            yield
    finally:
        del os.environ[HELD]
        if (last := owner(job)) and last.token == own.token:
            path.unlink(missing_ok=True)


def owner(job: str) -> Owner | None:
    """Return the record of the process that claims a job; None if there is none, or it is being written."""
    return _read(FOLDER / job)


def _read(path: Path) -> Owner | None:
    with suppress(OSError, ValueError, TypeError, KeyError):  # absent, being written, or of another version of finser
        written = json.loads(path.read_text(encoding="utf-8"))
        return Owner(**{**written, "processes": tuple(map(tuple, written["processes"]))})
    return None


def running() -> dict[str, Owner]:
    """Return the jobs that run now, anywhere, and their owners."""
    names = [path.name for path in FOLDER.glob("*") if not path.name.startswith(".")]
    return {job: found for job in names if (found := owner(job)) and not _dead(job, found, time.time())}


def join(job: str, pid: int, token: str) -> None:
    """Add a process of this place to the owners of a claim: it is free only when all of them have ended."""
    if (found := owner(job)) and found.token == token:  # not if another process has taken the claim meanwhile
        write_json(FOLDER / job, asdict(replace(found, processes=(*found.processes, _process(pid)))))


def _process(pid: int) -> tuple[int, int]:
    return pid, born(pid) or 0


@contextmanager
def _heartbeat(path: Path, token: str) -> Iterator[None]:
    """Change the time of a claim every few seconds, as long as it is this owner's: after a long pause another host may have taken it."""
    stop = threading.Event()

    def beat() -> None:
        """Beat until the context ends."""
        while not stop.wait(BEAT):
            with suppress(OSError):  # a file system that does not answer now may answer later
                if (found := _read(path)) and found.token == token:
                    os.utime(path)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _acquire(job: str, wait: bool) -> Owner:
    """Create the claim's file, after removing that of a dead owner; wait for a living owner, or raise an error."""
    said = None
    while not (own := _create(job)):
        found = owner(job)
        if _dead(job, found, _now()):
            _remove(job, found)
            continue
        if not wait:
            do = f"wait for it, or stop it: {found.stop}" if found else "run it again"
            raise FinserError("runs already", where=job, found=found.words if found else "a process that has just begun", do=do)
        if found and found.token != said:
            said = found.token
            print(f"{job} runs already ({found.words}): waiting for it; to stop it: {found.stop}", file=sys.stderr, flush=True)
        time.sleep(POLL)
    return own


def _create(job: str) -> Owner | None:
    """Return the owner that this process becomes; None if another process has the claim."""
    own, path = Owner(), FOLDER / job
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        file = path.open("x", encoding="utf-8")  # creates it, or fails: on network file systems, too
    except FileExistsError:
        return None
    except OSError as error:
        raise refusal(path, error) from None
    try:
        with file:
            file.write(json.dumps(asdict(own)))
    except OSError as error:  # a full disk: this process has created the file, and nobody else removes it
        path.unlink(missing_ok=True)
        raise refusal(path, error) from None
    return own


def _now() -> float:
    """Return the time of the file system, whose clock a claim's time is of: those of hosts may differ."""
    try:
        with tempfile.TemporaryFile(dir=FOLDER) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()


def _dead(job: str, found: Owner | None, now: float) -> bool:
    """Return whether the processes of a claim have ended: those of this place are looked up, others need a heartbeat."""
    if found and found.place == here():
        return not any(born(pid) == began for pid, began in found.processes)
    return _older(FOLDER / job, now)


def _older(path: Path, now: float) -> bool:
    """Return whether a file has not changed for :data:`LIFETIME`; False if it has gone."""
    try:
        return now - path.stat().st_mtime > LIFETIME
    except FileNotFoundError:
        return False


def _remove(job: str, dead: Owner | None) -> None:
    """Remove the claim of a dead owner.

    Of several processes that want to, the one that creates a file with the dead owner's token may. It looks again first: a slower one,
    which creates this file later, finds another owner or none.
    """
    mark = FOLDER / f".{job}.{dead.token if dead else 'empty'}"
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        if _older(mark, _now()):  # its process was killed between the two
            mark.unlink(missing_ok=True)
        return
    try:
        if owner(job) == dead:
            (FOLDER / job).unlink(missing_ok=True)
    finally:
        mark.unlink(missing_ok=True)


def main() -> int:
    """Wait for a job's claim, hold it while a command runs, and return the command's status; Ctrl-C and SIGTERM end the command, too."""
    job, *command = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    try:
        with claim(job, wait=True):
            dvc_locks.drop_dead(running().keys() - {job})
            try:
                process = subprocess.Popen(command)
                join(job, process.pid, os.environ[HELD])
                return process.wait()
            finally:
                _end_children()
    except FinserError as error:
        sys.exit(f"error: {error}")


def _end_children() -> None:
    """End what the command has started and not ended: nothing if the command ended by itself."""
    children = psutil.Process().children(recursive=True)
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for child in children:
            with suppress(psutil.NoSuchProcess):
                end(child)
        _, children = psutil.wait_procs(children, timeout=10)


if __name__ == "__main__":
    sys.exit(main())
