"""`finser cluster` with schedulers that answer as their manuals say; tests/workflow/test_slurm.py asks a real Slurm."""

import ast
import re
from pathlib import Path

import pytest
import yaml
from snakemake.cli import get_argument_parser

from finser.config.reading import read
from finser.errors import FinserError
from finser.project.partitions import Partition, load
from finser.project.stages import table
from finser.tools.cluster import lsf, profile, sge, slurm
from finser.tools.cluster.write import write

SINFO = """\
cpu*|64|257000|(null)|2-00:00:00
cpu*|64|257000|(null)|2-00:00:00
fat|128|2000000|(null)|infinite
gpu|48|500000|gpu:a100:4(S:0-1),shard:8|1-12:30:00
gpu|32+|190000+|gpu:v100:2|1-12:30:00
closed|64|257000|(null)|30:00
"""
CONFIG = """\
Configuration data as of 2026-11-29T10:00:00
AccountingStorageType   = accounting_storage/slurmdbd
ClusterName             = alps
MinJobAge               = 300 sec
SLURM_VERSION           = 23.11.4
"""
SBATCH = """\
for argument in "$@"; do
    case $argument in
        --partition=closed)
            echo "sbatch: error: Batch job submission failed: User's group not permitted to use this partition" >&2
            exit 1 ;;
        --partition=gpu) gpu=needed ;;
        --gpus=*) gpu= ;;
    esac
done
if [ "$gpu" = needed ]; then echo "allocation failure: QOSMinGRES" >&2; exit 1; fi
"""


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Return a function that puts a command first on PATH; other schedulers are not found."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr("finser.tools.cluster.write.shutil.which", lambda name: (tmp_path / "bin" / name).exists() or None)
    (tmp_path / "bin").mkdir()
    monkeypatch.chdir(tmp_path)

    def put(name: str, script: str) -> None:
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return put


def prints(text: str) -> str:
    return f"cat <<'END'\n{text}END"


@pytest.fixture
def alps(commands):
    """A Slurm with accounting, GPUs, and a partition that is closed to this user."""
    commands("sinfo", prints(SINFO))
    commands("scontrol", prints(CONFIG))
    commands("sacctmgr", prints("speech\n"))
    commands("sbatch", SBATCH)
    return commands


CPU, FAT, GPU = Partition("cpu", 64, 257000, 0, 2880), Partition("fat", 128, 2000000), Partition("gpu", 48, 500000, 4, 36 * 60 + 30)


def test_one_partition_is_for_jobs_without_a_gpu_and_one_for_those_with_one(alps):
    found = slurm.look()
    assert found.title == "Slurm 23.11.4, cluster alps"
    assert found.partitions == (CPU, GPU) and found.comments["cpu"] == "2 nodes, the default"
    fat, closed = found.notes
    assert fat == "partition fat is not used: 1 node; 128 cores, 2000000 MB, no GPUs a node; no time limit"
    assert closed.startswith("partition closed is not used: 1 node; 64 cores, ") and "User's group not permitted" in closed


@pytest.mark.parametrize(
    ("sinfo", "expected"),
    [
        ("debug*|8|1000|(null)|30:00\ncpu|4|2000|(null)|1-00:00:00\n", ["cpu"]),  # the default one is for short jobs
        ("cpu|4|2000|(null)|infinite\nmixed*|8|1000|gpu:1|infinite\n", ["cpu", "mixed"]),
        ("mixed*|8|1000|gpu:1|infinite\n", ["mixed"]),
        ("gpu|8|1000|gpu:1|infinite\nmixed*|8|1000|gpu:1|infinite\n", ["mixed"]),  # `gpu` takes jobs with a GPU alone
        ("debug*|8|1000|gpu:1|30:00\nlong|8|1000|gpu:1|infinite\ncpu|8|1000|(null)|30:00\n", ["cpu", "long"]),
    ],
)
def test_the_choice_of_partitions(alps, sinfo, expected):
    alps("sinfo", prints(sinfo))
    assert [one.name for one in slurm.look().partitions] == expected


def test_options_choose_partitions_and_account(alps):
    found = slurm.look(["gpu", "fat"], "2023-101")
    assert found.partitions == (FAT, GPU)
    (given,) = found.settings["default-resources"][0]
    assert ast.literal_eval(given.removeprefix("slurm_account=")) == "2023-101", "Snakemake evaluates it as Python"
    with pytest.raises(FinserError, match="Slurm takes no job of this user without a GPU; found gpu: allocation failure: QOSMinGRES; name"):
        slurm.look(["gpu"])
    with pytest.raises(FinserError, match="no partition gpus; expected one of cpu, fat, gpu, closed"):
        slurm.look(["gpus"])
    with pytest.raises(FinserError, match="Slurm takes no job of this user without a GPU; found closed: sbatch: error"):
        slurm.look(["closed"])


@pytest.mark.parametrize(
    ("kind", "age", "expected"),
    [
        ("accounting_storage/slurmdbd", 300, {"slurm-status-command": "sacct", "seconds-between-status-checks": 20}),
        ("accounting_storage/none", 300, {"slurm-status-command": "squeue", "seconds-between-status-checks": 5}),
        ("accounting_storage/none", 0, {"slurm-status-command": "squeue", "seconds-between-status-checks": 5}),
        ("accounting_storage/none", 6, {"slurm-status-command": "squeue", "seconds-between-status-checks": 2}),
        ("(null)", 300, {"slurm-status-command": "squeue"}),
    ],
)
def test_states_of_jobs_are_asked_where_they_are_known(alps, kind, age, expected):
    alps("scontrol", prints(CONFIG.replace("accounting_storage/slurmdbd", kind).replace("300", str(age))))
    settings = {key: value for key, (value, _) in slurm.look().settings.items()}
    assert expected.items() <= settings.items()
    if settings["slurm-status-command"] == "squeue" and age:  # 0: jobs are kept for ever
        assert 3 * settings["slurm-init-seconds-before-status-checks"] <= age, "the plugin goes back to sacct otherwise"


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("(null)", 0),
        ("gpu:2", 2),
        ("gpu:a100:4(S:0-1)", 4),
        ("gpu", 1),
        ("gpu:a:1,gpu:b:2,mps:400", 3),
        ("craynetwork:4", 0),
        ("gpu:a100_3g.20gb:2(S:0)", 2),
    ],
)
def test_gpus_of_a_node(text, gpus):
    (node,) = slurm.parse(f"p|1|2|{text}|infinite\n")
    assert node.gpus == gpus


def test_an_account_is_needed_where_slurm_says_so(alps):
    alps("sbatch", 'case "$*" in *--account=speech*) ;; *) echo "sbatch: error: Invalid account" >&2; exit 1 ;; esac')
    assert slurm.look().partitions, "the default account, which sacctmgr names"
    alps("sacctmgr", "exit 1")
    with pytest.raises(FinserError, match=r"found cpu: sbatch: error: Invalid account.*; name an account \(--account\)"):
        slurm.look()


@pytest.mark.parametrize("line", ["CLUSTER: alpha", "cpu|many|1|(null)|infinite", "cpu|1|2|(null)|soon"])
def test_another_answer_of_sinfo_is_one_line(line):
    with pytest.raises(FinserError, match=r"sinfo answers something else; expected partition\|cores.*; found "):
        slurm.parse(line)


@pytest.mark.parametrize(("text", "minutes"), [("infinite", None), ("30:00", 30), ("2:00:00", 120), ("1-00:00:00", 1440), ("0:30", 0)])
def test_time_limits(text, minutes):
    assert slurm.minutes(text) == minutes


def test_memory_that_slurm_does_not_know_is_not_asked_for(alps):
    alps("sinfo", prints("cpu*|64|1|(null)|infinite\n"))
    assert slurm.look().partitions == (Partition("cpu", 64, 0, 0, None),)


def test_the_profile_is_understood_by_snakemake_and_has_a_comment_on_every_line(alps, tmp_path):
    contents = profile.files(slurm.look(), Path("profile"), "2026-11-29")
    for path, text in contents.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        assert all("# " in line or line == "partitions:" for line in text.splitlines()), text
    settings = yaml.safe_load(contents[Path("profile/config.yaml")])
    parsed = get_argument_parser(["profile"]).parse_args(["--profile", "profile"])
    for key, value in settings.items():
        given = getattr(parsed, key.replace("-", "_"))
        assert str(given) == str(value) or isinstance(value, list), key
    assert load(Path(settings["config"][0].removeprefix("partitions="))) == [CPU, GPU]


def test_without_a_scheduler_it_says_so(commands):
    with pytest.raises(FinserError, match=r"no scheduler; expected one of the commands sinfo, bsub, qconf; run on a login node"):
        write((), "", False)


def test_a_scheduler_that_does_not_answer_is_one_line(alps):
    alps("sinfo", "echo 'slurm_load_partitions: Unable to contact slurm controller (connect failure)' >&2; exit 1")
    with pytest.raises(FinserError, match=r"sinfo .*: slurm_load_partitions: Unable to contact slurm controller") as refused:
        write((), "", False)
    assert "\n" not in str(refused.value)


def test_a_node_is_asked_what_it_sees(alps, tmp_path):
    (tmp_path / "dvc.yaml").touch()
    alps("srun", 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"')  # a node that is this machine
    _, said, _ = write((), "", True)
    assert re.search(
        r"node \S+ \(this machine\) sees this folder \(file system .+\)( and reaches|, and does not reach) zenodo.org", said[-1]
    )
    (tmp_path / "dvc.yaml").unlink()  # a folder that a node does not see
    with pytest.raises(FinserError, match=r"node \S+ does not see this folder .*; move the project to a file system that all nodes share"):
        write((), "", True)
    alps("srun", "echo 'srun: error: Unable to allocate resources: Requested nodes are busy' >&2; exit 1")
    assert write((), "", True)[1][-1].startswith("no node answered (srun: error: Unable to allocate resources: Requested nodes are busy)")
    alps("srun", "echo 'slurmstepd: error: execve(): python: No such file or directory' >&2; exit 2")
    with pytest.raises(FinserError, match="no node sees this Python"):
        write((), "", True)


LSHOSTS = """\
HOST_NAME                       type       model  cpuf ncpus maxmem maxswp server RESOURCES
login1                        X86_64  Intel_EM64T  60.0     -      -      -     No ()
node1                         X86_64  Intel_EM64T  60.0    40 187.3G     4G    Yes (mg)
node2                         X86_64  Intel_EM64T  60.0    64   1.5T     4G    Yes (gpu)
"""
BQUEUES = """\

QUEUE: normal
  -- For normal low priority jobs.

PARAMETERS/STATISTICS
PRIO NICE STATUS          MAX JL/U JL/P JL/H NJOBS  PEND   RUN SSUSP USUSP  RSV PJOBS
 30    0  Open:Active       -    -    -    -     0     0     0     0     0    0     0

 DEFAULT LIMITS:
 RUNLIMIT
 60.0 min

 MAXIMUM LIMITS:
 RUNLIMIT
 1440.0 min of node1

HOSTS:  all
"""
BHOSTS = """\
HOST_NAME    GPU_ID  MODEL               MUSED  MRSV  NJOBS  RUN  SUSP  RSV
node1        0       NVIDIAA100_PCIE_40GB 0M     0M    0      0    0     0
node2        0       NVIDIAA100_PCIE_40GB 0M     0M    0      0    0     0
             1       NVIDIAA100_PCIE_40GB 0M     0M    0      0    0     0
"""


@pytest.fixture
def lsf_cluster(commands):
    for name, text in {
        "bsub": "",
        "lsid": "IBM Spectrum LSF Standard 10.1.0.12, Jul 05 2024\nCopyright ...\n\nMy cluster name is marvin\nMy master name is node1\n",
        "bparams": "Default Queues:  normal idle\nMBD_SLEEP_TIME used for calculations:  10 seconds\n",
        "lshosts": LSHOSTS,
        "bqueues": BQUEUES,
        "bhosts": BHOSTS,
    }.items():
        commands(name, prints(text))
    return commands


def test_lsf(lsf_cluster):
    found = lsf.look()
    assert found.title == "IBM Spectrum LSF Standard 10.1.0.12, cluster marvin"
    assert found.partitions == (Partition("normal", 64, int(1.5 * 1024**2), 2, 1440),)
    submit, _ = lsf.look(["long"], "speech").settings["cluster-generic-submit-cmd"]
    assert submit.startswith("FINSER_SUBMIT_OPTIONS='-q long -P speech' workflow/profiles/cluster-generic/submit.sh lsf {threads} {res")
    with pytest.raises(FinserError, match="several queues; expected one --partition; found long, idle"):
        lsf.look(["long", "idle"])
    lsf_cluster("bhosts", "echo 'No GPU hosts found.' >&2; exit 255")
    lsf_cluster("bqueues", prints(BQUEUES.split(" DEFAULT LIMITS")[0]))
    assert lsf.look().partitions == (Partition("normal", 64, int(1.5 * 1024**2), 0, None),)


QHOST = """\
HOSTNAME                ARCH         NCPU NSOC NCOR NTHR  LOAD  MEMTOT  MEMUSE  SWAPTO  SWAPUS
----------------------------------------------------------------------------------------------
global                  -               -    -    -    -     -       -       -       -       -
vm                      lx-amd64        2    1    2    2  1.31   23.5G    1.2G     0.0     0.0
fat                     lx-amd64       16    2   16   16  0.31    1.0T    1.2G     0.0     0.0
gone                    -               -    -    -    -     -       -       -       -       -
"""
QUEUE = """\
qname                 all.q
pe_list               make smp
slots                 4,[fat=8]
s_rt                  INFINITY
h_rt                  {}
"""


@pytest.fixture
def grid_engine(commands):
    """Its answers, in the form of Debian's Grid Engine 8.1.9."""

    def put(longest: str = "INFINITY", rule: str = "$pe_slots", gpus: str = "") -> None:
        script = f"""case "$1 $2" in
            "-sql "*) echo all.q ;;
            "-sq "*) {prints(QUEUE.format(longest))}
            ;;
            "-sp make") echo 'allocation_rule    $round_robin' ;;
            "-sp smp") echo 'allocation_rule    {rule}' ;;
        esac"""
        commands("qconf", script)
        commands("qhost", prints(QHOST + gpus))

    return put


def test_grid_engine(grid_engine):
    grid_engine()
    found = sge.look()
    assert found.partitions == (Partition("all.q", 8, 1024**2, 0, None),)
    submit, _ = found.settings["cluster-generic-submit-cmd"]
    assert submit.startswith("FINSER_SUBMIT_OPTIONS='-q all.q' FINSER_SGE_PE=smp workflow/profiles/cluster-generic/submit.sh sge {threads}")
    grid_engine("24:30:00", gpus="    Host Resource(s):      hc:gpu=4.000000\n    hc:gpu=2.000000\n")
    assert sge.look().partitions == (Partition("all.q", 8, 1024**2, 4, 24 * 60 + 30),)
    grid_engine("7200")
    assert sge.look().partitions[0].minutes == 120
    with pytest.raises(FinserError, match=r"no queue long; expected one of all\.q"):
        sge.look(["long"])
    grid_engine(rule="$fill_up")
    with pytest.raises(FinserError, match=r"queue all\.q has no parallel environment with allocation_rule \$pe_slots"):
        sge.look()


@pytest.mark.parametrize(("scheduler", "command"), [("lsf", "lsf_cluster"), ("sge", "grid_engine")])
def test_the_profile_of_another_scheduler(scheduler, command, request, tmp_path):
    made = request.getfixturevalue(command)
    if scheduler == "sge":
        made()
    contents, said, advice = write((), "", True)
    config, limits = contents
    assert config == Path(f"workflow/profiles/{scheduler}/config.yaml")
    assert advice[-1].endswith(f"--profile workflow/profiles/{scheduler} results/report.md")
    settings = yaml.safe_load(contents[config])
    assert settings["executor"] == "cluster-generic" and "slurm" not in contents[config]
    limits.parent.mkdir(parents=True)
    limits.write_text(contents[limits])
    assert len(load(limits)) == 1 and any("cores" in line for line in said)


def test_a_partition_is_for_long_jobs_if_it_takes_the_longest_of_dvc_yaml(request):
    stages = table(read(request.config.rootpath / "dvc.yaml"))
    assert max(stage.runtime for stage in stages.values()) == slurm.LONG
