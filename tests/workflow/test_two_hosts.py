"""One job on two hosts at once: two process namespaces in which DVC has the same process number."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finser.project.claims import FOLDER

JOB = "label@ravdess"
DVC = f"dvc --wait-for-lock repro --single-item {JOB}"
RULE = f"python -m finser.project.claims {JOB} {DVC}"  # as the Snakefile runs it


def start(project, namespace: list[str], command: str) -> subprocess.Popen:
    """Run a command as process 1 of a namespace."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": "src",
        "OMP_NUM_THREADS": "1",
    }
    full = [*namespace, "sh", "-c", f"exec {command}"]
    return subprocess.Popen(full, cwd=project.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def begun(project, process: subprocess.Popen) -> None:
    """Wait until the stage's command writes."""
    deadline = time.monotonic() + 120
    while not list((project.root / "data/labels").glob(".partial-ravdess-*")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def stale(project):
    """The project after an edit that makes `label` stale, and the hashes that a run on one host makes."""
    project.set("augment.noise.amplitude", 0.05)
    project.run("dvc", "repro", "-q", "augment@ravdess")
    project.run("dvc", "repro", "-q", JOB)
    right = project.hashes()
    shutil.rmtree(project.root / "data/labels/ravdess")
    shutil.rmtree(project.root / ".dvc/cache")  # so that it is computed again
    project.run("dvc", "commit", "-f", "augment@ravdess")
    return project, right


def test_rules_of_two_hosts_run_a_job_once_and_both_end_well(stale, own_processes):
    project, right = stale
    before = len(project.commands())
    first = start(project, own_processes, RULE)
    begun(project, first)
    second = start(project, own_processes, RULE)
    (said, other) = (process.communicate()[0] for process in (first, second))
    assert (first.returncode, second.returncode) == (0, 0), said + other
    assert "Traceback" not in said + other and f"{JOB} runs already (process 1 on " in other
    assert project.commands()[before:] == [JOB]
    assert project.hashes() == right and not list((project.root / FOLDER).iterdir())


@pytest.mark.parametrize("delay", [None, 0.4, 0.8], ids=["while it writes", "at once", "a moment later"])
@pytest.mark.parametrize("numbers", ["equal", "other"])
def test_dvc_on_a_second_host_is_refused_in_one_line_and_the_first_loses_nothing(stale, own_processes, numbers, delay):
    """DVC takes the other's process 1 for itself, or for dead, and removes its entries in .dvc/tmp/rwlock."""
    project, right = stale
    many = "for i in $(seq 300); do /bin/true; done; "  # then DVC has a number that no process of the second namespace has
    first = start(project, own_processes, DVC if numbers == "equal" else f"sh -c '{many}{DVC}; exit $?'")
    if delay is None:
        begun(project, first)
    time.sleep(delay or 0)
    second = start(project, own_processes, DVC)
    said = [process.communicate()[0] for process in (first, second)]
    ended = [process.returncode for process in (first, second)]
    assert sorted(map(bool, ended)) == [False, True], said  # which of the two runs the job is a matter of moments
    other = said[ended.index(max(ended))]
    if "is busy, it is being blocked by" not in other:  # DVC's own answer, where the first one's number lives in both namespaces
        (refusal,) = [line for line in other.splitlines() if line.startswith("error:")]
        assert refusal.startswith(f"error: {JOB}: runs already; found process") and "or stop it: kill" in refusal
    assert "Traceback" not in "".join(said) and "error: None" not in "".join(said)
    assert project.hashes() == right and "up to date" in project.dvc("status", JOB).stdout
    assert not any(json.loads((project.root / ".dvc/tmp/rwlock").read_text()).values()), "no entry is left that would block a later job"
