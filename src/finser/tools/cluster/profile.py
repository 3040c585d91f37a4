"""The profile of a cluster: a line for every setting, each with a comment."""

import json
from pathlib import Path

from finser.project import partitions
from finser.tools.cluster import Cluster

FOLDER = Path("workflow/profiles")
COMMON = {  # of every cluster: Snakemake's option -> value, comment
    "jobs": (100, "jobs in the queue at once"),
    "retries": (2, "every job that fails runs again, with twice, then three times the memory, up to that of the largest node"),
    "latency-wait": (60, "seconds that the file system may take to show a file of another node"),
    "rerun-incomplete": (True, "run again what a killed run left unfinished"),
    "show-failed-logs": (False, "do not show the whole log of a job that fails: its last reasons follow the message"),
    "printshellcmds": (False, "do not repeat the command of every job"),
}


def files(cluster: Cluster, folder: Path, day: str) -> dict[Path, str]:
    """Return the files of a profile: path -> content.

    Parameters
    ----------
    cluster : Cluster
        What the scheduler says.
    folder : Path
        The profile's folder.
    day : str
        Date of the answer, for the first line.
    """
    limits = folder / "partitions.yaml"
    fitting = {"config": ([f"partitions={limits}"], "partitions of jobs without and with a GPU: rules limit cores, memory and time by it")}
    run = f"# Run: snakemake --profile {folder} results/report.md"
    again = "`finser cluster` writes it again, and keeps this one as config.yaml.bak"
    head = f"# Written by `finser cluster` on {day} for {cluster.title}; {again}.\n{run}\n"
    lines = [_line(key, value, comment) for key, (value, comment) in (cluster.settings | fitting | COMMON).items()]
    return {
        folder / "config.yaml": head + "".join(lines),
        limits: f"# Partitions of {cluster.title}, on {day}.\n" + partitions.text(cluster.partitions, cluster.comments),
    }


def _line(key: str, value: object, comment: str) -> str:
    return f"{key}: {json.dumps(value)}  # {comment}\n"  # JSON is YAML
