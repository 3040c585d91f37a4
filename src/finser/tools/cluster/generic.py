"""Schedulers without a Snakemake plugin of their own here: the scripts in workflow/profiles/cluster-generic submit their jobs."""

from collections.abc import Iterable

from finser.errors import FinserError
from finser.project.partitions import Partition
from finser.tools.cluster import Cluster

SCRIPTS = "workflow/profiles/cluster-generic"
ASKED = "{threads} {resources.mem_mb} {resources.runtime} {resources.gpu} {name}"  # Snakemake fills these in for each job
SECONDS = 10


def single(names: Iterable[str]) -> str:
    """Return the only name, "" if there is none; these profiles use one queue."""
    first, *more = [*names] or [""]
    if more:
        raise FinserError("several queues", expected="one --partition", found=f"{first}, {', '.join(more)}")
    return first


def cluster(scheduler: str, title: str, partition: Partition, options: list[str], environment: str = "smp") -> Cluster:
    """Return what the profile of LSF or Grid Engine says.

    Parameters
    ----------
    scheduler : {"lsf", "sge"}
        Its name in the scripts.
    title, partition
        As in :class:`Cluster`.
    options : list of str
        Options of the submit command beside those that the scripts give.
    environment : str
        Grid Engine's parallel environment.
    """
    variables = f"FINSER_SUBMIT_OPTIONS='{' '.join(options)}'" + (f" FINSER_SGE_PE={environment}" if scheduler == "sge" else "")
    submit = f"{variables} {SCRIPTS}/submit.sh {scheduler} {ASKED}"
    settings = {
        "executor": ("cluster-generic", "jobs are submitted by the command below"),
        "cluster-generic-submit-cmd": (submit, "cores, megabytes, minutes, GPUs and name of each job"),
        "cluster-generic-status-cmd": (f"{SCRIPTS}/status.sh", "prints the state of a job"),
        "cluster-generic-cancel-cmd": (f"{SCRIPTS}/cancel.sh", "stops jobs at Ctrl-C"),
        "seconds-between-status-checks": (SECONDS, "seconds between questions for states: one for each job"),
    }
    return Cluster(title, (partition,), {partition.name: "one queue"}, (), settings)
