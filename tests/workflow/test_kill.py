"""SIGKILL at the worst moment: whatever dies, the next run finishes right."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest


def forget_runs(project) -> None:
    """Empty DVC's memory of past runs (not of their outputs), so that a stage whose output is gone must really run again."""
    shutil.rmtree(project.root / ".dvc/cache/runs")


def start(project, *command: str) -> subprocess.Popen:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=project.root, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def wait_for_partial(project, folder: str, process: subprocess.Popen) -> None:
    """Until the stage is in the middle of writing."""
    deadline = time.monotonic() + 120
    while not list((project.root / folder).glob(".partial-*")):
        assert process.poll() is None, "the stage ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)


def family(process: subprocess.Popen) -> list[psutil.Process]:
    return [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]


def words_of(member: psutil.Process) -> list[str]:
    """The command line of a process; none if it has ended."""
    try:
        return member.cmdline()
    except psutil.Error:
        return []


def called(name: str, members: list[psutil.Process]) -> list[psutil.Process]:
    found = []
    for member in members:
        words = words_of(member)
        if len(words) > 1 and Path(words[0]).name.startswith("python") and Path(words[1]).name == name:
            found.append(member)
    return found


@pytest.mark.parametrize(
    ("engine", "victim"), [("snakemake", "finser"), ("snakemake", "everything"), ("dvc", "dvc"), ("dvc", "everything")]
)
def test_kill_and_run_again(project, engine, victim):
    forget_runs(project)
    shards = project.root / "data/shards/ravdess"
    shutil.rmtree(shards)
    project.set("augment.noise.amplitude", 0.05)  # what follows is stale, too
    command = ("snakemake", "--cores", "2", "data/shards/ravdess") if engine == "snakemake" else ("dvc", "repro", "augment@ravdess")
    process = start(project, *command)
    wait_for_partial(project, "data/shards", process)
    members = family(process)
    victims = members if victim == "everything" else called(victim, members)
    assert victims
    for member in victims:
        member.send_signal(signal.SIGKILL)
    process.wait()
    for member in members:  # orphans of a killed parent end by themselves, or here
        psutil.wait_procs([member], timeout=60)
    assert victim == "dvc" or not shards.exists()  # the orphan of a killed DVC ends its work
    if engine == "snakemake":
        project.run("snakemake", "--unlock")
        project.run("snakemake", "--cores", "2", "--rerun-incomplete", "data/shards/ravdess")
    else:
        project.dvc("repro", "-q", "augment@ravdess")
    assert "data/shards/ravdess" not in project.dvc("status", "augment@ravdess").stdout
    recovered = contents(shards)
    shutil.rmtree(shards)
    project.run("finser", "augment", "ravdess")
    assert recovered == contents(shards)
    assert not list(shards.parent.glob(".partial-*"))


def test_dvcs_record_of_running_jobs_that_a_kill_has_cut_short_stops_no_job(project):
    record = project.root / ".dvc/tmp/rwlock"
    record.write_text('{"read": {"/pro')
    project.set("augment.noise.amplitude", 0.05)
    project.run("snakemake", "-n", "data/shards/ravdess")
    assert record.read_text() == '{"read": {"/pro', "a dry run changes nothing"
    done = project.run("snakemake", "--cores", "2", "data/shards/ravdess")
    assert "written anew" in done.stdout + done.stderr and isinstance(json.loads(record.read_text()), dict)
    assert "data/shards/ravdess" not in project.dvc("status", "augment@ravdess").stdout


STAGES = {
    ("fetch", "ravdess"): "data/raw/ravdess",
    ("index", "ravdess"): "data/clips/ravdess.parquet",
    ("resample", "ravdess"): "data/audio/ravdess",
    ("augment", "ravdess"): "data/shards/ravdess",
    ("label", "ravdess"): "data/labels/ravdess",
    ("split", "speaker"): "data/splits/speaker.parquet",
    ("train_front_end",): "models/fins/front_end",
    ("train_fin", "mel"): "models/fins/mel",
    ("evaluate_fin", "mel"): "results/fins/mel.json",
    ("prepare_fine_tuning", "fin_ensemble"): "models/initial/fin_ensemble",
    ("train_classifier", "fin_ensemble", "speaker", "1", "0"): "models/classifiers/fin_ensemble/speaker/1/0",
    ("evaluate_classifier", "svm", "speaker", "1"): "results/classifiers/svm/speaker/1/predictions.parquet",
    ("report",): "results/report.md",
}


SNAKEMAKES = ".snakemake_timestamp"  # marks a directory() that Snakemake asked for


def contents(path: Path) -> dict[str, object]:
    """The bytes of a file or of a folder's files; of those that record seconds, what else they say."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file() and file.name != SNAKEMAKES)
    return {str(file.relative_to(path)): _less_seconds(file) for file in files}


def _less_seconds(file: Path) -> object:
    if file.suffix == ".json":
        return {key: value for key, value in json.loads(file.read_text()).items() if not key.startswith("seconds")}
    if file.suffix == ".md":  # the tables without their numbers, up to the last line
        return re.sub(r"[0-9.,–]+", "#", file.read_text())
    return file.read_bytes()


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage[0])
def test_every_stage_is_all_or_nothing(project, stage):
    target = project.root / STAGES[stage]
    before = contents(target)
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    clock = time.monotonic()
    project.run("finser", *stage)
    whole = time.monotonic() - clock
    assert contents(target) == before, "the stage is not deterministic"
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    process = start(project, "finser", *stage)
    time.sleep(0.8 * whole)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if target.exists():
        assert contents(target) == before
    project.run("finser", *stage)
    assert contents(target) == before
    assert not list(target.parent.glob(f".partial-{target.name}-*"))
