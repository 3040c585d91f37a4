"""What a Slurm cluster has: sinfo, scontrol and sacctmgr say it, and ``sbatch --test-only`` says what would be taken.

The formats are those of Slurm 20.11 and later (sinfo(1), sbatch(1)).
"""

import getpass
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from finser.errors import FinserError
from finser.project.partitions import Partition, Request
from finser.tools.cluster import Cluster
from finser.tools.cluster.asking import ask, attempt, refusal

NODES = "%P|%c|%m|%G|%l"  # partition, with * if it is the default one; cores; megabytes; generic resources; longest time of a job
LONG = 480  # minutes: the longest `runtime` in dvc.yaml
QUICK, SLOW = 5, 20  # seconds between questions for states: of slurmctld for a few jobs of one user, of the accounting database
TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")  # days-hours:minutes:seconds


@dataclass(frozen=True)
class Node:
    """A node of a partition, as a line of sinfo describes it."""

    partition: str
    default: bool
    cores: int
    mem_mb: int
    gpus: int
    minutes: int | None


def look(names: Iterable[str] = (), account: str = "") -> Cluster:
    """Ask Slurm what there is.

    Parameters
    ----------
    names : iterable of str
        Partitions to choose from; all that this user may submit to if empty.
    account : str
        Account of the jobs; if empty, the user's default one, as Slurm's accounting says.

    Raises
    ------
    FinserError
        Slurm does not answer, or it takes jobs of this user in none of the partitions.
    """
    config = dict(re.findall(r"^(\w+)\s*= (.*)$", ask("scontrol", "show", "config"), re.MULTILINE))
    accounting = config.get("AccountingStorageType") == "accounting_storage/slurmdbd"
    account = account or (_default_account() if accounting else "")
    nodes = parse(ask("sinfo", "--noheader", "--Node", "--format", NODES))
    known = _chosen(nodes, set(names))
    refused = {one.name: _refusals(one, account) for one in known}
    used = _two(known, refused)
    age = re.match(r"\d*", config.get("MinJobAge", ""))[0]
    return Cluster(
        title=f"Slurm {config.get('SLURM_VERSION', '')}, cluster {config.get('ClusterName', '')}",
        partitions=used,
        comments={one.name: _comment(one.name, nodes) for one in used},
        notes=tuple(f"partition {one.name} is not used: {_why(one, nodes, refused)}" for one in known if one not in used),
        settings=dict(_settings(account, accounting, int(age or 0) or 300)),  # 0: jobs are kept for ever
    )


def parse(text: str) -> list[Node]:
    """Read the lines of ``sinfo --Node`` in the format :data:`NODES`."""
    nodes = []
    for line in filter(None, text.splitlines()):
        try:
            partition, cores, memory, generic, longest = line.split("|")
            mem_mb = int(memory.rstrip("+"))
            mem_mb = 0 if mem_mb == 1 else mem_mb  # Slurm says 1 where RealMemory is not configured
            nodes.append(
                Node(partition.rstrip("*"), partition.endswith("*"), int(cores.rstrip("+")), mem_mb, _gpus(generic), minutes(longest))
            )
        except ValueError:
            raise FinserError("sinfo answers something else", expected="partition|cores|megabytes|resources|time", found=line) from None
    return nodes


def _gpus(generic: str) -> int:
    """Count the GPUs of generic resources, such as ``gpu:a100:4(S:0-1),shard:8``: kind, model, number, and sockets."""
    counts = [part.split(":")[1:] for part in re.sub(r"\([^)]*\)", "", generic).split(",") if part.split(":")[0] == "gpu"]
    return sum(int(words[-1]) if words and words[-1].isdigit() else 1 for words in counts)


def minutes(text: str) -> int | None:
    """Convert a time limit, such as ``1-00:00:00``, to minutes; None for ``infinite``."""
    if text in ("infinite", "UNLIMITED", "n/a"):
        return None
    found = TIME.fullmatch(text)
    if not found:
        raise ValueError(text)
    days, hours, more, seconds = (int(part or 0) for part in found.groups())
    return (days * 24 + hours) * 60 + more + seconds // 60


def _chosen(nodes: list[Node], names: set[str]) -> list[Partition]:
    """Make a partition of its nodes, the default one first; raise an error for a name that Slurm does not know."""
    known = dict.fromkeys(node.partition for node in sorted(nodes, key=lambda node: not node.default))
    if unknown := names - known.keys():
        raise FinserError(f"no partition {', '.join(sorted(unknown))}", expected=f"one of {', '.join(known)}")
    return [_of_nodes(name, [node for node in nodes if node.partition == name]) for name in known if name in (names or known)]


def _of_nodes(name: str, nodes: list[Node]) -> Partition:
    most = {key: max(getattr(node, key) for node in nodes) for key in ("cores", "mem_mb", "gpus")}
    return Partition(name, most["cores"], most["mem_mb"], most["gpus"], nodes[0].minutes)


def _refusals(partition: Partition, account: str) -> dict[int, str]:
    """Return why Slurm refuses small jobs of this user: GPUs of the job -> reason."""
    small = [Request(1, min(100, partition.mem_mb), 1, gpu) for gpu in range(1 + bool(partition.gpus))]
    return {request.gpu: why for request in small if (why := refuses(partition.name, request, account))}


def _two(known: list[Partition], refused: dict[str, dict[int, str]]) -> tuple[Partition, ...]:
    """Choose a partition for jobs without a GPU and, if there are GPUs, one for jobs with one.

    For the former, one without GPUs comes first; for both, one in which jobs may be long, then Slurm's default one.
    """
    plain = sorted((one for one in known if 0 not in refused[one.name]), key=lambda one: (bool(one.gpus), _short(one)))
    with_gpu = sorted((one for one in known if one.gpus and 1 not in refused[one.name]), key=_short)
    if not plain:
        reasons = "; ".join(f"{name}: {why}" for name, several in refused.items() for why in several.values())
        do = "name an account (--account) or other partitions (--partition)"
        raise FinserError("Slurm takes no job of this user without a GPU", found=reasons, do=do)
    return tuple(dict.fromkeys([plain[0], *with_gpu[:1]]))


def _short(partition: Partition) -> bool:
    """Return whether a partition's time limit is less than the longest job needs."""
    return partition.minutes is not None and partition.minutes < LONG


def _why(partition: Partition, nodes: list[Node], refused: dict[str, dict[int, str]]) -> str:
    reasons = [f"jobs {'with' if gpu else 'without'} a GPU are refused ({why})" for gpu, why in refused[partition.name].items()]
    return "; ".join([_comment(partition.name, nodes), partition.words, *reasons])


def refuses(partition: str, request: Request, account: str) -> str:
    """Return why Slurm would not take a job, in its own words; "" if it would. Nothing is submitted."""
    asked = {
        "partition": partition,
        "cpus-per-task": request.threads,
        "time": request.runtime,
        "mem": request.mem_mb,
        "gpus": request.gpu,
        "account": account,
    }
    options = [f"--{name}={value}" for name, value in asked.items() if value]
    return refusal("sbatch", "--test-only", "--ntasks=1", *options, "--wrap=true")


def _default_account() -> str:
    """Return the default account of this user, as Slurm's accounting says; "" if it says none."""
    answer = attempt("sacctmgr", "--noheader", "--parsable2", "show", "user", getpass.getuser(), "format=DefaultAccount")
    return answer.stdout.strip()


def _comment(name: str, nodes: list[Node]) -> str:
    of_it = [node for node in nodes if node.partition == name]
    return f"{len(of_it)} node{'s' if len(of_it) > 1 else ''}{', the default' if of_it[0].default else ''}"


def _settings(account: str, accounting: bool, job_age: int) -> Iterator[tuple[str, tuple[object, str]]]:
    """Yield what the profile says of Slurm itself."""
    yield "executor", ("slurm", "a Slurm job for each job, or group of jobs")
    if account:
        yield "default-resources", ([f"slurm_account={account!r}"], "account of the jobs; slurm_extra adds other options of sbatch")
    if accounting:
        yield "slurm-status-command", ("sacct", "states of jobs come from the accounting database")
        yield "seconds-between-status-checks", (SLOW, "seconds between questions for states, which go to the accounting database")
    else:
        yield "slurm-status-command", ("squeue", f"there is no accounting; slurmctld knows a job for {job_age} s after its end")
        quick = min(QUICK, max(1, job_age // 3))
        yield "seconds-between-status-checks", (quick, "seconds between questions for states: one for all jobs")
        yield (
            "slurm-init-seconds-before-status-checks",
            (quick, "squeue is used if jobs are known three times as long"),
        )
