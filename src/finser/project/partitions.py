"""Partitions of a cluster (queues, in LSF and SGE): what the nodes of each can give to a job.

``finser cluster`` writes the file. It names one partition, or two: the first takes jobs without a GPU, the last one those with one. The
rules name the partition of every job, and limit its threads, memory and time by it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from finser.config.reading import read
from finser.errors import FinserError


@dataclass(frozen=True)
class Request:
    """What a job asks for.

    Attributes
    ----------
    threads : int
        Cores.
    mem_mb : int
        Memory in megabytes; 0: not asked for.
    runtime : int
        Minutes.
    gpu : int
        GPUs.
    """

    threads: int
    mem_mb: int
    runtime: int
    gpu: int

    @property
    def words(self) -> str:
        """Return e.g. ``1 cores, 16000 MB, 30 minutes, 0 GPUs``."""
        return f"{self.threads} cores, {self.mem_mb} MB, {self.runtime} minutes, {self.gpu} GPUs"


@dataclass(frozen=True)
class Partition:
    """A set of nodes that jobs are submitted to.

    Attributes
    ----------
    name : str
        The scheduler's name of the partition.
    threads, mem_mb, gpus : int
        Cores, megabytes and GPUs of its largest node.
    minutes : int or None
        Longest time of a job; None without a limit.
    """

    name: str
    threads: int
    mem_mb: int
    gpus: int = 0
    minutes: int | None = None

    @property
    def words(self) -> str:
        """Return what a node has, e.g. ``2 cores, 20000 MB, no GPUs a node; no time limit``."""
        limit = "no time limit" if self.minutes is None else f"{self.minutes} minutes"
        memory = f"{self.mem_mb} MB" if self.mem_mb else "memory not configured"
        return f"{self.threads} cores, {memory}, {self.gpus or 'no'} GPUs a node; {limit}"

    def lacks(self, request: Request) -> list[str]:
        """Return what a job asks for and this partition does not have, e.g. ``["16000 MB, of 8000"]``; empty if it takes the job."""
        pairs = {
            "cores": (request.threads, self.threads),
            "MB": (request.mem_mb, self.mem_mb),
            "GPUs": (request.gpu, self.gpus),
            "minutes": (request.runtime, self.minutes),
        }
        return [f"{asked} {unit}, of {has}" for unit, (asked, has) in pairs.items() if has is not None and asked > has]


def of(partitions: Sequence[Partition], gpu: int) -> Partition:
    """Return the partition of a job: the last one if it asks for a GPU, else the first one."""
    return partitions[-1 if gpu else 0]


def check(job: str, request: Request, partition: Partition, where: Path) -> None:
    """Raise an error if a partition does not take a job."""
    if lacks := partition.lacks(request):
        do = "choose another partition (finser cluster --help), or lower `meta` of the stage in dvc.yaml if your data are small"
        raise FinserError(f"partition {partition.name} does not take {job}", where=where, found=", ".join(lacks), do=do)


def load(path: Path) -> list[Partition]:
    """Read a file of partitions.

    Raises
    ------
    FinserError
        The file is missing or no YAML, has an unknown key, or a value of a wrong type.
    """
    if not path.exists():
        raise FinserError("no such file", where=path, do="run finser cluster")
    entries = read(path).get("partitions")
    if not isinstance(entries, dict) or not entries:
        raise FinserError("names no partition", where=path, do="run finser cluster")
    return [_partition(str(name), entry or {}, path) for name, entry in entries.items()]


KEYS = ("threads", "mem_mb", "gpus", "minutes")


def _partition(name: str, entry: dict, path: Path) -> Partition:
    for key, value in entry.items():
        if key not in KEYS:
            raise FinserError(f"partition {name}: unknown key '{key}'", where=path, expected=f"one of {', '.join(KEYS)}")
        if type(value) is not int or value < 0:
            raise FinserError(f"partition {name}: {key}", where=path, expected="a whole number, 0 or more", found=value)
    try:
        return Partition(name, **entry)
    except TypeError:
        raise FinserError(f"partition {name}: no threads or mem_mb", where=path, do="run finser cluster") from None


def text(partitions: Iterable[Partition], comments: dict[str, str]) -> str:
    """Return the content of the file; `comments` says something about a partition."""
    lines = ["partitions:"]
    for one in partitions:
        lines += [
            f"  {json.dumps(one.name)}:  # {comments[one.name]}",
            f"    threads: {one.threads}  # cores of its largest node",
            f"    mem_mb: {one.mem_mb}  # {'megabytes of its largest node' if one.mem_mb else 'unknown: no job asks for any'}",
        ]
        lines += [f"    gpus: {one.gpus}  # GPUs of a node"] if one.gpus else []
        lines += [f"    minutes: {one.minutes}  # longest job, in minutes"] if one.minutes is not None else []
    return "\n".join(lines) + "\n"
