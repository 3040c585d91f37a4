"""What a Grid Engine cluster has: qhost and qconf say it. Their formats are those of Son of Grid Engine 8.1.9 and its relatives."""

import re
from collections.abc import Iterable

from finser.errors import FinserError
from finser.project.partitions import Partition
from finser.tools.cluster import Cluster, generic
from finser.tools.cluster.asking import ask, attempt

UNITS = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}  # megabytes


def look(names: Iterable[str] = (), account: str = "") -> Cluster:
    """Ask Grid Engine what there is.

    Parameters
    ----------
    names : iterable of str
        The queue to use; the first one if empty.
    account : str
        Project of the jobs.

    Raises
    ------
    FinserError
        Grid Engine does not answer, or has no such queue, or no parallel environment whose slots are on one host.
    """
    queues = ask("qconf", "-sql").split()
    queue = generic.single(names) or queues[0]
    if queue not in queues:
        raise FinserError(f"no queue {queue}", expected=f"one of {', '.join(queues)}")
    settings = ask("qconf", "-sq", queue)
    cores, memory = hosts(ask("qhost"))
    partition = Partition(queue, min(cores, slots(settings)), memory, gpus(ask("qhost", "-F", "gpu")), minutes(settings))
    options = [f"-q {queue}", *([f"-P {account}"] if account else [])]
    return generic.cluster("sge", f"Grid Engine, queue {queue}", partition, options, environment(queue, settings))


def slots(settings: str) -> int:
    """Return the most slots of a queue on a host: ``slots 4,[fat=8]`` gives 8."""
    found = re.search(r"^slots\s+(.*)$", settings, re.MULTILINE)
    return max(map(int, re.findall(r"(?:^|=)\s*(\d+)", found[1]))) if found else 1


def environment(queue: str, settings: str) -> str:
    """Return a parallel environment of the queue that gives all slots of a job on one host."""
    listed = re.search(r"^pe_list\s+(.*)$", settings, re.MULTILINE)
    for name in re.findall(r"[\w.-]+", listed[1]) if listed else []:
        if re.search(r"^allocation_rule\s+\$pe_slots", attempt("qconf", "-sp", name).stdout, re.MULTILINE):
            return name
    raise FinserError(f"queue {queue} has no parallel environment with allocation_rule $pe_slots", do="ask the administrator for one")


def hosts(text: str) -> tuple[int, int]:
    """Return the most cores and the most megabytes of a host."""
    head, *rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("-")]
    cores, memory = head.index("NCPU"), head.index("MEMTOT")
    known = [row for row in rows if len(row) > memory and row[cores].isdigit()]  # neither `global` nor a host that does not answer
    if not known:
        raise FinserError("qhost names no host with cores", do="is Grid Engine running?")
    sizes = [re.fullmatch(r"([\d.]+)([KMGT])", row[memory]) for row in known]
    return max(int(row[cores]) for row in known), int(max((float(size[1]) * UNITS[size[2]] for size in sizes if size), default=0))


def gpus(text: str) -> int:
    """Return the most GPUs of a host; 0 where the complex `gpu` is not defined."""
    return int(max(map(float, re.findall(r"\bh[cl]:gpu=([\d.]+)", text)), default=0))


def minutes(text: str) -> int | None:
    """Return the longest time of a job of a queue, h_rt; None for INFINITY."""
    found = re.search(r"^h_rt\s+(?:(\d+):(\d+):(\d+)|(\d+))", text, re.MULTILINE)
    if not found:
        return None
    return int(found[4]) // 60 if found[4] else int(found[1]) * 60 + int(found[2])
