"""Jobs on a real Slurm of one node, without accounting or GPU (.ci/slurm starts it): the commands of docs/cluster.md, and faults."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT, Project, copy_of_the_source

pytestmark = [
    pytest.mark.xdist_group("slurm"),
    pytest.mark.timeout(1500),
    pytest.mark.skipif("FINSER_SLURM" not in os.environ, reason="FINSER_SLURM is not set: .ci/slurm starts a Slurm of one node"),
]
PROFILE = ("--profile", "workflow/profiles/slurm")
TARGET = "models/fins/zcr"  # one job of some seconds
MANY = 2000  # steps of training: half a minute
TIMES = re.compile(r"second|time|started|^cpu_|started")


def commands_of_the_page() -> list[str]:
    """Every command of docs/cluster.md, in its order."""
    text = (ROOT / "docs/cluster.md").read_text().split("## Other schedulers")[0]
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


def run(project: Project, command: str) -> subprocess.CompletedProcess:
    return project.run("bash", "-c", command, env={"PATH": os.environ["PATH"]})


@pytest.fixture(scope="module")
def by_the_page(tmp_path_factory) -> tuple[Project, dict[str, subprocess.CompletedProcess]]:
    """A project to which every command of the page was applied, and what each printed first."""
    project = copy_of_the_source(tmp_path_factory.mktemp("slurm") / "project")
    (project.root / ".venv").symlink_to(sys.prefix)
    said: dict[str, subprocess.CompletedProcess] = {}
    for command in commands_of_the_page():
        done = run(project, command)
        said.setdefault(command, done)
    return project, said


@pytest.fixture
def finished(by_the_page, tmp_path) -> Project:
    """A copy of the finished project, in which one training is stale and takes longer."""
    subprocess.run(["cp", "-a", "--reflink=auto", by_the_page[0].root, tmp_path / "project"], check=True)
    project = Project(tmp_path / "project")
    yield project
    subprocess.run(["scancel", "--me"], check=True)
    shutil.rmtree(tmp_path / "project", ignore_errors=True)


def start(project: Project) -> subprocess.Popen:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["snakemake", *PROFILE, TARGET]
    log = (project.root / "run.log").open("w")
    return subprocess.Popen(command, cwd=project.root, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)


def claim_of(project: Project, other_than: str = "") -> dict:
    """Wait until the training runs, in another Slurm job than the given one; return the record of its claim."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for path in (project.root / ".dvc/tmp/jobs").glob("train_fin@*"):
            claim = json.loads(path.read_text() or "{}")
            if len(claim.get("processes", ())) > 2 and claim["slurm"] != other_than:  # the command itself has joined
                return claim
        time.sleep(0.1)
    raise AssertionError((project.root / "run.log").read_text()[-3000:])


def contents(project: Project) -> dict[str, object]:
    """Every file of data, models and results, without times: they differ between any two runs."""
    found: dict[str, object] = {}
    for folder in ("data", "models", "results"):
        for path in sorted((project.root / folder).rglob("*")):
            name = str(path.relative_to(project.root))
            if path.is_file() and not name.startswith(("results/timing", "results/report", "results/figures", "results/summary/costs")):
                found[name] = without_times(json.loads(path.read_text())) if path.suffix == ".json" else path.read_bytes()
    return found


def without_times(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if not TIMES.search(key)}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def test_the_page_gives_the_files_of_a_local_run(by_the_page, built):
    project, _ = by_the_page
    own, local = contents(project), contents(built)
    assert own.keys() == local.keys() and len(own) > 90
    assert [name for name in own if own[name] != local[name]] == []
    assert (project.root / "results/report.html").stat().st_size > 10_000
    project.assert_clean()


def test_the_profile_fits_this_cluster(by_the_page):
    project, said = by_the_page
    (printed,) = [done.stdout for command, done in said.items() if command.endswith("finser cluster")]
    assert "partition toy (1 node, the default): 2 cores, 20000 MB, no GPUs a node; no time limit" in printed
    assert "sees this folder" in printed
    profile = yaml.safe_load((project.root / "workflow/profiles/slurm/config.yaml").read_text())
    assert profile["slurm-status-command"] == "squeue" and profile["executor"] == "slurm"
    lines = (project.root / "workflow/profiles/slurm/config.yaml").read_text().splitlines()
    assert all("  # " in line or line.startswith("#") for line in lines)


def test_short_jobs_are_one_slurm_job(by_the_page):
    _, said = by_the_page
    text = said[".venv/bin/snakemake --profile workflow/profiles/slurm results/report.md"].stderr
    submitted = re.findall(r"has been submitted with SLURM jobid \d+ \(log: \S*/slurm_logs/(\S+)/\d+\.log", text)
    again = sorted(name for name, times in Counter(submitted).items() if times > 1)
    if again:  # a busy machine may lose a job; its result is right, but the cause should be known
        said = [line for line in text.splitlines() if re.match(r"reason|error|Error in|Trying to restart", line.strip())]
        warnings.warn(f"Slurm jobs ran again: {again}; {said}", stacklevel=1)
    assert len(set(submitted)) == 23, f"of 34 jobs, of which one runs here: {submitted}"
    assert {name.split("_")[1] for name in submitted if name.startswith("group")} == {"corpus", "pool", "report", "short"}


def test_what_no_node_can_take_is_refused_before_anything_is_submitted(finished):
    limits = finished.root / "workflow/profiles/slurm/partitions.yaml"
    limits.write_text(limits.read_text().replace("mem_mb: 20000", "mem_mb: 12000"))
    for command in (("-n",), ()):
        done = finished.run("snakemake", *PROFILE, *command, "--forceall", "results/report.md", check=False)
        assert done.returncode == 1 and "submitted" not in done.stderr
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
        assert "partition toy does not take train_classifier@" in line and "16000 MB, of 12000" in line
        assert not list((finished.root / ".snakemake/locks").glob("*"))
    limits.write_text(limits.read_text().replace("mem_mb: 12000", "mem_mb: 90000"))
    stages = finished.root / "dvc.yaml"
    stages.write_text(stages.read_text().replace("mem_mb: 16000", "mem_mb: 80000"))  # Slurm itself knows better than the file
    done = finished.run("snakemake", *PROFILE, "-n", "--forceall", "results/report.md", check=False)
    assert (
        done.returncode == 1
        and "Slurm does not take train_classifier@" in done.stderr
        and "node configuration is not available" in done.stderr
    )


def test_a_job_that_exceeds_its_memory_gets_more_and_says_why(finished):
    """It needs about 750 MB, and gets 300, 600 and 900."""
    finished.set("train_fin.zcr.steps", MANY)
    stages = finished.root / "dvc.yaml"
    head, tail = stages.read_text().split("  train_fin:", 1)
    stages.write_text(f"{head}  train_fin:{tail.replace('mem_mb: 8000', 'mem_mb: 300', 1)}")
    done = finished.run("snakemake", *PROFILE, TARGET)
    assert len(re.findall(r"reason \(train_fin\): .*exceeded memory limit", done.stderr)) >= 2
    assert finished.commands()[-1] == "train_fin@zcr" and "up to date" in finished.dvc("status", "train_fin@zcr").stdout


def test_a_cancelled_job_runs_again_and_snakemake_killed_and_started_at_once_runs_it_once(finished):
    finished.set("train_fin.zcr.steps", MANY)
    before = len(finished.commands())
    process = start(finished)
    cancelled = claim_of(finished)
    subprocess.run(["scancel", cancelled["slurm"]], check=True)
    first = claim_of(finished, other_than=cancelled["slurm"])
    assert re.search(r"reason \(train_fin\): .*CANCELLED AT", (finished.root / "run.log").read_text())
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    unlocked = finished.run("snakemake", *PROFILE, "--unlock")
    assert f"to stop it: scancel {first['slurm']}" in unlocked.stderr
    done = finished.run("snakemake", *PROFILE, TARGET)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("waiting for train_fin@zcr")]
    assert f"Slurm job {first['slurm']}" in line and f"scancel {first['slurm']}" in line
    assert finished.commands()[before:] == ["train_fin@zcr"]
    assert "up to date" in finished.dvc("status", "train_fin@zcr").stdout
