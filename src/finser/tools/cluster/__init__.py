"""What a cluster has, as its scheduler says, and a Snakemake profile that fits it."""

from dataclasses import dataclass, field

from finser.project.partitions import Partition


@dataclass(frozen=True)
class Cluster:
    """What a scheduler says of its cluster.

    Attributes
    ----------
    title : str
        Scheduler, version and name, e.g. ``Slurm 22.05.8, cluster finser``.
    partitions : tuple of Partition
        Those that this user may submit to; the default one first.
    comments : dict of str to str
        Name of a partition -> what else is known of it, e.g. ``4 nodes, default``.
    notes : tuple of str
        Sentences for the user, e.g. why a partition is left out.
    settings : dict of str to (object, str)
        Keys of the profile that depend on the scheduler, each with its value and its comment.
    """

    title: str
    partitions: tuple[Partition, ...]
    comments: dict[str, str]
    notes: tuple[str, ...] = ()
    settings: dict[str, tuple[object, str]] = field(default_factory=dict)
