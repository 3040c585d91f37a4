"""workflow/cluster.py without a cluster: which lines of logs are reasons, and what refuses a run."""

import importlib.util
import json
import logging
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from finser.project import claims

ROOT = Path(__file__).parents[2]
OTHER = {"place": "node_3.0123abcd.4026531836", "processes": [[1, 1]], "token": "0123", "host": "node-3", "slurm": "39"}


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """workflow/cluster.py, which is no part of the package, in an empty folder."""
    monkeypatch.syspath_prepend(str(ROOT / "workflow"))
    source = importlib.util.spec_from_file_location("cluster", ROOT / "workflow/cluster.py")
    module = importlib.util.module_from_spec(source)
    source.loader.exec_module(module)
    monkeypatch.setattr(sys, "path", sys.path)
    monkeypatch.chdir(tmp_path)
    return module


@pytest.mark.parametrize(
    "line",
    [
        "error: data/raw/ravdess/03-01.wav: no audio; found an HTML page",
        "slurmstepd: error: StepId=38.batch exceeded memory limit (203522048 > 157286400), being killed",
        "slurmstepd: error: Detected 1 oom_kill event in StepId=38.0. Some of the step tasks have been OOM Killed.",
        "slurmstepd: error: *** JOB 38 ON node1 CANCELLED AT 2026-11-29T10:00:00 DUE TO TIME LIMIT ***",
        "srun: error: Unable to create step for job 33: More processors requested than permitted",
        "MemoryError",
    ],
)
def test_lines_that_say_why_a_job_ended(cluster, line):
    Path("log").write_text(
        f"Building DAG of jobs...\n{line}\nUserWarning: a difference due to rounding; oops\n{line}\nERROR: failed to reproduce\n"
    )
    assert list(cluster.reasons(["log", "no such log"])) == [line]


def test_reasons_are_told_once_for_a_group(cluster, capsys):
    Path("slurm.log").write_text("error: one\nerror: two\nerror: three\nerror: four\n")
    handler = cluster.Reasons()
    group = {"event": LogEvent.GROUP_ERROR, "aux_logs": ["slurm.log"], "job_error_info": [{"rule_name": "label", "log": []}]}
    member = {"event": LogEvent.JOB_ERROR, "log": ["slurm.log"], "rule_name": "label", "indent": True}
    for extra in (group, member, {"event": LogEvent.PROGRESS}):
        handler.handle(logging.makeLogRecord(extra))
    assert capsys.readouterr().err.splitlines() == [f"reason (label): error: {number}" for number in ("two", "three", "four")]
    handler.handle(logging.makeLogRecord(member | {"indent": False}))
    assert capsys.readouterr().err.count("reason (label)") == 3


def test_jobs_that_an_earlier_run_left_in_the_queue_refuse_a_new_one(cluster, monkeypatch, tmp_path):
    (tmp_path / "squeue").write_text(f"#!/bin/sh\necho '41|{tmp_path}'\necho '42|/elsewhere'\necho '43_7|{tmp_path}'\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(SystemExit, match="error: Slurm jobs of an earlier run of Snakemake wait: 41, 43_7; cancel them: scancel 41 43_7"):
        cluster.check_queue()
    (tmp_path / "squeue").write_text("#!/bin/sh\necho '42|/elsewhere'\n")
    cluster.check_queue()


def test_a_run_begins_when_no_job_of_an_earlier_one_runs(cluster, monkeypatch, capsys):
    path = claims.FOLDER / "label@ravdess"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(OTHER | {"started": "2026-11-29T10:00:00+00:00"}))
    monkeypatch.setattr(cluster, "time", SimpleNamespace(sleep=lambda seconds: path.unlink()))
    cluster.wait_for_running()
    said = capsys.readouterr().err
    assert (
        said == "waiting for label@ravdess (process 1 on node-3, Slurm job 39, since 2026-11-29T10:00:00+00:00); to stop it: scancel 39\n"
    )
