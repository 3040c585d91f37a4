"""What an LSF cluster has: lsid, lshosts, bhosts, bparams and bqueues say it. Their formats are those of Spectrum LSF 10.1."""

import re
from collections.abc import Iterable

from finser.errors import FinserError
from finser.project.partitions import Partition
from finser.tools.cluster import Cluster, generic
from finser.tools.cluster.asking import ask, attempt

UNITS = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}  # megabytes


def look(names: Iterable[str] = (), account: str = "") -> Cluster:
    """Ask LSF what there is.

    Parameters
    ----------
    names : iterable of str
        The queue to use; the cluster's default one if empty.
    account : str
        Project of the jobs.

    Raises
    ------
    FinserError
        LSF does not answer, has no such queue, or several are named.
    """
    queue = generic.single(names) or default_queue(ask("bparams"))
    cores, memory = hosts(ask("lshosts", "-w"))
    partition = Partition(queue, cores, memory, gpus(attempt("bhosts", "-gpu", "-w").stdout), minutes(ask("bqueues", "-l", queue)))
    cluster = re.search(r"My cluster name is (\S+)", identity := ask("lsid"))
    options = [f"-q {queue}", *([f"-P {account}"] if account else [])]
    return generic.cluster("lsf", f"{identity.split(',')[0].strip()}, cluster {cluster[1] if cluster else ''}", partition, options)


def default_queue(text: str) -> str:
    """Return the first queue of ``Default Queues:  normal idle``."""
    found = re.search(r"Default Queues?:\s+(\S+)", text)
    if not found:
        raise FinserError("bparams names no default queue", do="name one: --partition QUEUE")
    return found[1]


def hosts(text: str) -> tuple[int, int]:
    """Return the most cores and the most megabytes of a host; 0 megabytes where LSF knows none."""
    rows = [line.split() for line in text.splitlines()[1:]]
    cores = [int(row[4]) for row in rows if len(row) > 5 and row[4].isdigit()]  # a client host has "-"
    sizes = [re.fullmatch(r"([\d.]+)([KMGT])", row[5]) for row in rows if len(row) > 5]
    if not cores:
        raise FinserError("lshosts names no host with cores", do="is LSF running?")
    return max(cores), int(max((float(size[1]) * UNITS[size[2]] for size in sizes if size), default=0))


def gpus(text: str) -> int:
    """Return the most GPUs of a host: a row for each, of which those after a host's first may omit its name."""
    counts: dict[str, int] = {}
    host = ""
    for line in text.splitlines()[1:] if text.startswith("HOST_NAME") else []:
        host = host if line.startswith(" ") else line.split()[0]
        counts[host] = counts.get(host, 0) + 1
    return max(counts.values(), default=0)


def minutes(text: str) -> int | None:
    """Return the longest time of a job of a queue: the last RUNLIMIT; None without one."""
    below = re.findall(r"^\s*RUNLIMIT\s*\n\s*([\d.]+) min", text, re.MULTILINE)  # the default limit, if there is one, then the maximum
    return int(float(below[-1])) if below else None
