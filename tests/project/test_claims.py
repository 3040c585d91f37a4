"""One owner of a claim at a time, whoever is killed and whatever hosts there are."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from finser.errors import FinserError
from finser.hosts import here as place
from finser.project import claims
from finser.project.claims import claim, owner, running

JOB = "label@ravdess"
WRAPPED = [sys.executable, "-m", "finser.project.claims", JOB]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def claimed_by(place: str, *, age: float = 0, **others) -> Path:
    """Write the claim of a process of another place."""
    path = claims.FOLDER / JOB
    path.parent.mkdir(parents=True)
    record = {
        "place": place,
        "processes": [[1, 1]],
        "token": "0123",
        "host": "node-3",
        "started": "2026-11-29T10:00:00+00:00",
        "slurm": None,
        **others,
    }
    path.write_text(json.dumps(record))
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_a_second_claim_is_refused_in_one_line_that_tells_how_to_stop_the_first():
    with subprocess.Popen([*WRAPPED, "sleep", "60"]) as first:
        until(lambda: owner(JOB) is not None)
        assert list(running()) == [JOB]
        with pytest.raises(FinserError) as refused, claim(JOB, wait=False):
            pass
        found, do = rf"process {first.pid} on [\w.-]+, since [-:+\dT]+", rf"wait for it, or stop it: kill {first.pid}, on [\w.-]+"
        assert re.fullmatch(f"{JOB}: runs already; found {found}; {do}", str(refused.value))
        with claim("label@tess", wait=False):  # another job
            first.terminate()
    assert not running()


def test_what_a_refusal_advises_stops_the_command_too():
    with subprocess.Popen([*WRAPPED, "sh", "-c", "sleep 600; true"]) as first:
        until(lambda: (found := owner(JOB)) is not None and len(found.processes) == 2)
        started = psutil.Process(first.pid).children(recursive=True)
        os.kill(int(re.match(r"kill (\d+), on [\w.-]+$", owner(JOB).stop)[1]), signal.SIGTERM)
    assert first.returncode == 128 + signal.SIGTERM and not running()
    assert started and not psutil.wait_procs(started, timeout=5)[1]


def test_a_later_process_of_the_same_number_is_not_the_owner():
    number, began = claims._process(os.getpid())
    path = claimed_by(place(), processes=[[number, began - 1]])
    assert not running() and path.exists(), "looking changes nothing"
    with claim(JOB, wait=False):
        pass


def test_a_slurm_job_is_stopped_by_its_number():
    claimed_by("node_3.0123abcd.4026531836", slurm="39")
    with pytest.raises(FinserError, match=r"process 1 on node-3, Slurm job 39, since .*: scancel 39"), claim(JOB, wait=False):
        pass


def test_a_claim_ends_with_its_context_also_after_an_error():
    with pytest.raises(ZeroDivisionError), claim(JOB, wait=False):
        raise ZeroDivisionError
    assert not list(claims.FOLDER.iterdir()) and claims.HELD not in os.environ


def test_processes_of_the_owner_join_its_claim():
    code = f"from finser.project.claims import *\nwith claim('{JOB}', wait=False): print(len(owner('{JOB}').processes))"
    done = subprocess.run([*WRAPPED, sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "3\n", "the wrapper, its command, and the command once more"


def test_a_claim_is_kept_while_a_process_that_joined_it_lives():
    """The wrapper is killed, and its command continues."""
    with subprocess.Popen([*WRAPPED, "sleep", "60"]) as first:
        until(lambda: (found := owner(JOB)) is not None and len(found.processes) == 2)
        command = owner(JOB).processes[1][0]
        first.kill()
    assert list(running()) == [JOB]
    os.kill(command, signal.SIGKILL)
    until(lambda: not running())
    with claim(JOB, wait=False):
        pass


@pytest.mark.parametrize(("age", "free"), [(claims.LIFETIME - 30, False), (claims.LIFETIME + 30, True)])
@pytest.mark.parametrize("empty", [False, True], ids=["", "killed while it wrote"])
def test_an_owner_elsewhere_lives_by_its_heartbeat(age, free, empty):
    path = claimed_by("node3.0123abcd.4026531836", age=age)
    if empty:
        path.write_text("")
        os.utime(path, (time.time() - age,) * 2)
    if free:
        with claim(JOB, wait=False):
            assert owner(JOB).processes[0][0] == os.getpid()
        return
    with pytest.raises(FinserError, match="runs already"), claim(JOB, wait=False):
        pass
    assert path.exists()


def test_the_heartbeat_continues(monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.05)
    with claim(JOB, wait=False):
        os.utime(claims.FOLDER / JOB, (0, 0))
        until(lambda: (claims.FOLDER / JOB).stat().st_mtime > 0)


def test_a_claim_taken_meanwhile_stays():
    """Two hosts see that an owner is dead; the slower one must not remove the claim of the quicker one."""
    claimed_by("node_3.0123abcd.4026531836")
    dead = owner(JOB)
    (claims.FOLDER / JOB).unlink()
    with claim(JOB, wait=False):
        own = owner(JOB)
        claims._remove(JOB, dead)
        assert owner(JOB) == own and len(list(claims.FOLDER.iterdir())) == 1


def test_one_process_at_a_time_removes_a_dead_claim():
    path = claimed_by("node_3.0123abcd.4026531836")
    mark = path.with_name(f".{JOB}.0123")
    mark.touch()  # another process is about to
    claims._remove(JOB, owner(JOB))
    assert path.exists()
    os.utime(mark, (0, 0))  # it was killed
    claims._remove(JOB, owner(JOB))
    claims._remove(JOB, owner(JOB))
    assert not list(path.parent.iterdir())


def test_an_owner_that_paused_too_long_keeps_no_other_owner_alive(monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.02)
    with claim(JOB, wait=False):
        path = claims.FOLDER / JOB
        path.unlink()
        path.write_text(json.dumps({**json.loads(json.dumps(claims.asdict(claims.Owner()))), "token": "another"}))
        os.utime(path, (0, 0))
        claims.join(JOB, 1, os.environ[claims.HELD])
        time.sleep(0.3)
        assert path.stat().st_mtime == 0 and len(owner(JOB).processes) == 1
    assert owner(JOB).token == "another", "it is not this owner's to remove"


@pytest.mark.parametrize("content", ["{}", "[]", '{"pids": [1]}', "null", "{"])
def test_a_claim_that_cannot_be_read_is_one_of_an_unknown_owner(content):
    path = claimed_by("node_3.0123abcd.4026531836")
    path.write_text(content)
    assert owner(JOB) is None and not running()
    with pytest.raises(FinserError, match="found a process that has just begun; run it again"), claim(JOB, wait=False):
        pass


def test_the_wrapper_waits_says_so_once_and_returns_the_status():
    with subprocess.Popen([*WRAPPED, "sleep", "5"]):
        until(lambda: owner(JOB) is not None)
        done = subprocess.run([*WRAPPED, "sh", "-c", "exit 3"], capture_output=True, text=True)
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1 and f"{JOB} runs already (process " in done.stderr and "to stop it: kill" in done.stderr


def test_an_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / ".dvc").touch()
    done = subprocess.run([*WRAPPED, "true"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("error: .dvc/tmp/jobs/") and len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_leaves_no_claim_that_nobody_holds(monkeypatch):
    """The file is created, and its content does not fit."""
    real = Path.open

    def opened(path: Path, mode: str = "r", **options):
        if mode != "x":
            return real(path, mode, **options)
        real(path, mode, **options).close()
        return real(Path("/dev/full"), "w", **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        with pytest.raises(FinserError, match="no space left"), claim(JOB, wait=False):
            pass
    with claim(JOB, wait=False):
        pass


def test_many_processes_run_one_at_a_time_also_when_some_are_killed():
    """Each writes its number, sleeps, and reads it again."""
    code = "import os, pathlib, time\nfile = pathlib.Path('turn')\nfile.write_text(str(os.getpid()))\ntime.sleep(.3)\n"
    code += "pathlib.Path('order').open('a').write('right ' if file.read_text() == str(os.getpid()) else 'WRONG ')"
    command = [*WRAPPED, sys.executable, "-c", code]
    several = [subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) for _ in range(10)]
    killed = random.Random(0).sample(several, 3)
    for process in killed:
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGKILL)
    assert [process.wait() for process in several if process not in killed] == [0] * 7
    assert 7 <= Path("order").read_text().count("right") <= 10 and "WRONG" not in Path("order").read_text()
    assert not running()
