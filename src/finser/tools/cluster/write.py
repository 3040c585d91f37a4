"""``finser cluster``: which scheduler there is, what it has, and the profile that fits."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from finser.errors import FinserError
from finser.tools.cluster import Cluster, lsf, probe, profile, sge, slurm

SCHEDULERS = {
    "slurm": ("sinfo", slurm.look),
    "lsf": ("bsub", lsf.look),
    "sge": ("qconf", sge.look),
}  # name -> a command of it, and how to ask


def write(names: tuple[str, ...], account: str, ask_a_node: bool) -> tuple[dict[Path, str], list[str], list[str]]:
    """Return the files of the profile, what was found, and what to do with it.

    Raises
    ------
    FinserError
        There is no scheduler, it takes no job of this user, or its nodes do not see this folder.
    """
    scheduler = next((name for name, (command, _) in SCHEDULERS.items() if shutil.which(command)), None)
    if scheduler is None:
        commands = ", ".join(command for command, _ in SCHEDULERS.values())
        raise FinserError("no scheduler", expected=f"one of the commands {commands}", do="run on a login node")
    _, look = SCHEDULERS[scheduler]
    cluster = look(names, account)
    said = [
        cluster.title,
        *(f"partition {one.name} ({cluster.comments[one.name]}): {one.words}" for one in cluster.partitions),
        *cluster.notes,
    ]
    said += _asked(scheduler, cluster, account) if ask_a_node else []
    folder = profile.FOLDER / scheduler
    advice = [f"check it: snakemake --profile {folder} -n results/report.md", f"run it:   snakemake --profile {folder} results/report.md"]
    return profile.files(cluster, folder, datetime.now(UTC).date().isoformat()), said, advice


def _asked(scheduler: str, cluster: Cluster, account: str) -> list[str]:
    if scheduler != "slurm":
        return ["no node was asked whether it sees this folder: finser asks nodes of Slurm alone"]
    return probe.slurm(cluster.partitions[0], account)
