"""Jobs really run through the profile cluster-generic: in the background, and by stand-ins for LSF and SGE."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml

from .conftest import BIN, ROOT, Project, copy_of_the_source
from .test_kill import called

PROFILE = Path("workflow/profiles/cluster-generic")
RECORDS = Path(".snakemake/cluster-generic")
FAKES = Path(__file__).parent / "fakes/scheduler"
TOOLS = ("bsub", "bjobs", "bkill", "qsub", "qstat", "qacct", "qdel")
TARGETS = ("data/labels/ravdess", "data/splits/speaker.parquet")  # a chain and a branch: enough to see that jobs are submitted in order
LABELS = TARGETS[0]
PLACEHOLDERS = "{threads} {resources.mem_mb} {resources.runtime} {resources.gpu} {name}"
QUICK = {"FINSER_HEARTBEAT": "4", "FINSER_BEAT": "1"}


@pytest.fixture
def fakes(tmp_path, monkeypatch) -> Path:
    """LSF's and SGE's commands, first on PATH; the folder holds what they were asked."""
    tools, folder = tmp_path / "bin", tmp_path / "asked"
    tools.mkdir(), folder.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(FAKES)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(folder))
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder in which the scripts of the profile run without Snakemake."""
    (tmp_path / "place").mkdir()
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def call(script: str, *words: object, check: bool = True) -> subprocess.CompletedProcess:
    """Run a script of the profile."""
    return subprocess.run([ROOT / PROFILE / f"{script}.sh", *map(str, words)], capture_output=True, text=True, check=check)


def submit(scheduler: str, commands: str) -> str:
    """Hand a job of these commands to a scheduler; its id."""
    Path("script").write_text(commands)
    return call("submit", scheduler, 3, 4000, 90, 1, "stage", "script").stdout.strip()


def ended(job: str) -> tuple[str, str]:
    """What status.sh says of a job when it no longer runs: state, and cause."""
    deadline = time.monotonic() + 30
    while (done := call("status", job)).stdout == "running\n":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return done.stdout.strip(), done.stderr


def make_old(*paths: Path) -> None:
    """Set the time of files to 8 days ago."""
    for path in paths:
        os.utime(path, (time.time() - 8 * 86400,) * 2)


def process_of(job: str, root: Path = Path()) -> int:
    """The process number of a background job, which is also that of its group."""
    return int((root / RECORDS / job / "job").read_text().split()[1])


def wait_for(question, process: subprocess.Popen | None = None):
    """The first answer of `question()` that is true."""
    deadline = time.monotonic() + 120
    while not (answer := question()):
        assert time.monotonic() < deadline and (process is None or process.poll() is None)
        time.sleep(0.05)
    return answer


def forget(project: Project, *stages: str) -> None:
    """These stages of ravdess must really run again: DVC has no record of them, and their outputs are gone."""
    lock = project.root / "dvc.lock"
    records = yaml.safe_load(lock.read_text())
    for stage in stages:
        for out in records["stages"].pop(f"{stage}@ravdess")["outs"]:
            shutil.rmtree(project.root / out["path"])
    lock.write_text(yaml.safe_dump(records))
    shutil.rmtree(project.root / ".dvc/cache/runs")


def begin(project: Project, *arguments: str) -> subprocess.Popen:
    """Start Snakemake with the profile, as in a terminal of its own."""
    environment = {**os.environ, **QUICK, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    command = ["snakemake", "--profile", str(PROFILE), LABELS, *arguments]
    with (project.root / "said").open("w") as said:
        return subprocess.Popen(command, cwd=project.root, env=environment, start_new_session=True, stdout=said, stderr=said)


def stage_of(project: Project, n_jobs: int) -> tuple[Path, psutil.Process] | None:
    """The newest of `n_jobs` jobs, and the process of its stage command; None before it runs."""
    jobs = sorted((project.root / RECORDS).glob("corpus_label.*/job"), key=lambda path: path.stat().st_mtime)
    if len(jobs) < n_jobs:
        return None
    stages = called("finser", psutil.Process(process_of(jobs[-1].parent.name, project.root)).children(recursive=True))
    return (jobs[-1], stages[0]) if stages else None


def assert_as_built(project: Project, built: Project) -> None:
    own, other = project.hashes(), built.hashes()
    assert own == {path: other[path] for path in own} and LABELS in own


def test_jobs_through_cluster_generic(built, tmp_path):
    project = copy_of_the_source(tmp_path / "project")
    project.run("finser", "preset", "tiny")
    project.run("snakemake", "--profile", str(PROFILE), *TARGETS)
    stages = [f"{stage}@ravdess" for stage in ("augment", "fetch", "index", "label", "resample")] + ["split@speaker"]
    assert sorted(project.commands()) == sorted(stages)
    jobs = [path.name.split(".")[0] for path in (project.root / RECORDS).iterdir()]
    assert sorted(jobs) == ["corpus_augment_index_label_resample", "pool_split"]  # a job for each group of stages; `fetch` runs here
    assert_as_built(project, built)
    assert set(TARGETS) <= project.hashes().keys()
    dry = project.run("snakemake", "-n", *TARGETS)
    assert "Nothing to be done" in dry.stdout + dry.stderr


def test_lsf_gets_what_a_job_needs(project, built, fakes):
    forget(project, "label")
    submit_command = f"{PROFILE}/submit.sh lsf {PLACEHOLDERS}"
    arguments = ("--set-threads", "label=2", "--cluster-generic-submit-cmd", submit_command)
    assert project.ran_by(lambda: project.run("snakemake", "--profile", str(PROFILE), *arguments, LABELS)) == ["label@ravdess"]
    (asked,) = [json.loads(path.read_text()) for path in fakes.glob("*.json")]
    assert (asked["n"], asked["M"], asked["W"], asked["gpu"]) == (2, "2200MB", 60, None)
    assert asked["R"] == "span[hosts=1] rusage[mem=2200MB]" and asked["J"] == "finser-corpus_label"
    assert_as_built(project, built)


def test_sge_gets_what_a_group_of_jobs_needs(project, built, fakes):
    """Two rules as one job: the minutes add up, and its name has both."""
    forget(project, "augment", "label")
    submit_command = f"{PROFILE}/submit.sh sge {PLACEHOLDERS}"
    arguments = ("--groups", "augment=clips", "label=clips", "--cluster-generic-submit-cmd", submit_command)
    run = lambda: project.run("snakemake", "--profile", str(PROFILE), *arguments, "--", LABELS)  # noqa: E731
    assert project.ran_by(run) == ["augment@ravdess", "label@ravdess"]
    (asked,) = [json.loads(path.read_text()) for path in fakes.glob("*.json")]
    assert asked["pe"] == ["smp", "1"] and asked["N"].endswith("_augment_label")
    assert asked["l"] == ["h_rt=10800", "h_vmem=1600M"]
    assert_as_built(project, built)


def test_a_node_and_a_command_die(project, built):
    """First a whole node, then the stage command of the second attempt: the third one finishes."""
    forget(project, "label")
    process = begin(project)
    job, _ = wait_for(lambda: stage_of(project, 1), process)
    group = process_of(job.parent.name, project.root)
    job.write_text(f"background {group} corpus_label elsewhere\n")  # so that only signs of life tell
    os.killpg(group, signal.SIGKILL)
    _, stage = wait_for(lambda: stage_of(project, 2), process)
    stage.kill()
    assert process.wait(timeout=120) == 0
    said = (project.root / "said").read_text()
    assert f"job corpus_label ({job.parent.name}, background {group}) failed: no sign of life for 4 s" in said
    assert ": its node or its process died; log: " in said
    assert "failed: exit status 1, its command was killed: perhaps out of memory; log: " in said
    assert said.count("error: job corpus_label") == 2 and len(list((project.root / RECORDS).iterdir())) == 3
    assert_as_built(project, built)


def unlocked(project: Project) -> bool:
    """Whether `snakemake --unlock` works: on the host of a job it does not before DVC is through with the job."""
    done = project.run("snakemake", "--unlock", check=False)
    assert done.returncode == 0 or "is busy" in done.stderr
    return done.returncode == 0


def test_snakemake_dies_and_starts_again_at_once(project, built):
    """The job goes on and ends well; the stage runs once."""
    forget(project, "label")
    before = project.commands()
    process = begin(project)
    job, _ = wait_for(lambda: stage_of(project, 1), process)
    process.kill()
    process.wait()
    wait_for(lambda: unlocked(project))
    assert begin(project).wait(timeout=120) == 0
    assert wait_for((job.parent / "end").exists) and (job.parent / "end").read_text() == "0\n"
    assert project.commands()[len(before) :] == ["label@ravdess"]
    assert_as_built(project, built)


@pytest.mark.parametrize("scheduler", ["background", "lsf", "sge"])
def test_a_job_succeeds_or_fails(place, fakes, scheduler):
    jobs = [submit(scheduler, commands) for commands in ("true", "exit 3", "exit 137")]
    assert len(set(jobs)) == 3
    assert ended(jobs[0]) == ("success", "")
    state, why = ended(jobs[1])
    assert state == "failed" and why.startswith(f"error: job stage ({jobs[1]}, {scheduler} ")
    assert why.endswith(f") failed: exit status 3; log: {RECORDS}/{jobs[1]}/log\n")
    assert "killed: perhaps out of memory" in ended(jobs[2])[1]


def test_resources_of_a_job_with_a_gpu(place, fakes):
    submit("lsf", "true"), submit("sge", "true")
    lsf, sge = [json.loads(path.read_text()) for path in sorted(fakes.glob("*.json"))]
    assert (lsf["n"], lsf["M"], lsf["W"], lsf["gpu"]) == (3, "4000MB", 90, "num=1")
    assert sge["pe"] == ["smp", "3"] and sge["l"] == ["h_rt=5400", "mem_free=4000M", "gpu=1"]


@pytest.mark.parametrize(
    ("scheduler", "answer", "cause"),
    [
        ("lsf", "EXIT|137|TERM_MEMLIMIT: job killed after reaching LSF memory usage limit", "signal 9, TERM_MEMLIMIT: job killed after"),
        ("lsf", "EXIT|140|TERM_RUNLIMIT: job killed after reaching LSF run time limit", "signal 12, TERM_RUNLIMIT: job killed after"),
        ("lsf", "UNKWN|-|-", "no sign of life for 60 s: its node or its process died"),
        ("lsf", "ZOMBI|-|-", "no sign of life for 60 s: its node or its process died"),
        ("lsf", "PEND|-|-", None),
        ("lsf", "vanished", "lsf does not know it any more"),
        ("sge", "Eqw", "SGE could not start it: qstat -j 101 says why"),
        ("sge", "r", "no sign of life for 60 s: its node or its process died"),
        ("sge", "qw", None),
        ("sge", "37  : qmaster enforced h_rt, h_cpu, or h_vmem limit", "exit status 137, killed by signal 9, SGE's code 37 : qmaster"),
        ("sge", "vanished", "sge does not know it any more"),
    ],
)
def test_what_the_scheduler_says_of_a_lost_job(place, fakes, scheduler, answer, cause):
    """Its processes are gone without an exit status; None: it has not begun, so it waits."""
    job = submit(scheduler, "sleep 60")
    wait_for((place / RECORDS / job / "beat").exists)
    wrapper = next(m for m in psutil.process_iter(["cmdline"]) if any(job in word for word in m.info["cmdline"] or []))
    os.killpg(os.getpgid(wrapper.pid), signal.SIGKILL)
    make_old(place / RECORDS / job / "beat")
    (fakes / "101.state").write_text(answer)
    if answer.startswith("37"):
        (fakes / "101.end").write_text("137")
    elif answer == "vanished":
        (fakes / "101.json").unlink()
        assert call("status", job).stdout == "running\n"  # the scheduler may be late
        make_old(place / RECORDS / job / "missing")
    done = call("status", job)
    if cause is None:
        assert (done.stdout, done.stderr) == ("running\n", "")
    else:
        assert done.stdout == "failed\n" and cause in done.stderr and done.stderr.count("\n") == 1


def test_a_process_of_this_host_dies(place):
    """Its last sign of life is new, but the host knows."""
    job = submit("background", "sleep 60")
    assert call("status", job).stdout == "running\n"
    os.killpg(process_of(job), signal.SIGKILL)
    state, why = ended(job)
    assert state == "failed" and "its process died: killed" in why


@pytest.mark.parametrize("scheduler", ["background", "lsf", "sge"])
def test_cancel(place, fakes, scheduler):
    jobs = [submit(scheduler, "sleep 60") for _ in range(2)]
    call("cancel", *jobs, "unknown")
    assert [ended(job)[0] for job in jobs] == ["failed", "failed"] and "failed: cancelled" in ended(jobs[0])[1]
    if scheduler == "background":
        wait_for(lambda: not any(psutil.pid_exists(process_of(job)) for job in jobs))
    else:
        wait_for(lambda: len(list(fakes.glob("*.end"))) == 2)


def test_records_of_jobs_that_ended_long_ago_go(place):
    old, running, recent = submit("background", "true"), submit("background", "sleep 20"), submit("background", "true")
    assert ended(old)[0] == ended(recent)[0] == "success"
    for job in (old, running):
        make_old(place / RECORDS / job, *(place / RECORDS / job).iterdir())
    new = submit("background", "true")
    assert {path.name for path in (place / RECORDS).iterdir()} == {running, recent, new}
    call("cancel", running)


def test_an_unknown_scheduler(place):
    Path("script").write_text("true")
    done = call("submit", "pbs", 1, 1, 1, 0, "stage", "script", check=False)
    assert done.returncode == 2 and done.stderr == "error: submit.sh knows background, lsf and sge, not pbs\n"
