"""DVC's record of running jobs, against DVC itself."""

import json
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest
from dvc.fs import localfs
from dvc.lock import make_lock
from dvc.rwlock import rwlock

from finser.project.dvc_locks import JOB, TMP, drop_dead, kept

RULE = "/env/bin/dvc --wait-for-lock repro --single-item "


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TMP.mkdir(parents=True)
    Path(".dvc/config").touch()


def recorded() -> dict:
    found = json.loads((TMP / "rwlock").read_text())
    return {mode: entries for mode, entries in found.items() if entries}


def write(**entries: dict) -> None:
    (TMP / "rwlock").write_text(json.dumps(entries))


@pytest.mark.parametrize("lost", ["before", "during", "both modes", ""])
def test_dvc_ends_well_whenever_another_host_removes_its_entries(tmp_path, lost):
    """A process called dvc holds its lock while a command runs; the lock's end asserts that its entries are there."""
    command = f"""
import json
from pathlib import Path
from finser.project.dvc_locks import TMP, kept
record = TMP / "rwlock"
def remove(*modes):
    found = json.loads(record.read_text())
    record.write_text(json.dumps({{mode: {{}} if mode in modes else entries for mode, entries in found.items()}}))
if {lost!r} == "before":
    found = json.loads(record.read_text())
    found["read"].pop(str(Path("out").absolute()))
    record.write_text(json.dumps(found | {{"write": {{}}}}))
with kept(["in", "params.yaml"], ["out"]):
    if {lost!r} == "during": remove("write")
    if {lost!r} == "both modes": remove("read", "write")
"""
    (tmp_path / "command.py").write_text(command)
    (tmp_path / "dvc").write_text(f"""
import subprocess, sys
from pathlib import Path
from dvc.fs import localfs
from dvc.rwlock import rwlock
paths = lambda *names: [str(Path(name).absolute()) for name in names]
read, write = paths("in", "params.yaml", "unrelated", "out"), paths("out")
with rwlock(str(Path("{TMP}").absolute()), localfs, " ".join(sys.argv), read, write, False):
    subprocess.run([sys.executable, "command.py"], check=True)
""")
    if lost == "both modes":  # the entry of an input that is no one's but DVC's own stays lost: that is another job's doing
        (tmp_path / "dvc").write_text((tmp_path / "dvc").read_text().replace(', "unrelated"', ""))
    done = subprocess.run([sys.executable, "dvc", "repro"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert recorded() == {}


def test_without_dvc_nothing_is_written():
    with kept(["in"], ["out"]):
        pass
    assert not (TMP / "rwlock").exists()


def test_entries_of_killed_jobs_go_and_others_stay():
    dead, alive = ({"pid": 1, "cmd": RULE + job} for job in ("label@ravdess", "label@tess"))
    by_hand = {"pid": 1, "cmd": "/env/bin/dvc repro"}
    write(read={"/a": [dead, alive], "/b": [dead], "/c": [by_hand]}, write={"/d": dead, "/e": alive})
    drop_dead({"label@tess"})
    assert recorded() == {"read": {"/a": [alive], "/c": [by_hand]}, "write": {"/e": alive}}
    drop_dead(set())
    assert recorded() == {"read": {"/c": [by_hand]}}
    with rwlock(str(TMP.absolute()), localfs, "x", ["/a"], ["/d"], False):  # process 1 lives: DVC would wait for it for ever
        pass


@pytest.mark.parametrize("content", ["", '{"read": {"/a"'])
def test_a_record_that_a_kill_has_cut_short_is_written_anew(content, capsys):
    (TMP / "rwlock").write_text(content)
    drop_dead(set())
    assert recorded() == {} and "rwlock: cut short, since DVC was killed while it wrote it; written anew" in capsys.readouterr().err
    with rwlock(str(TMP.absolute()), localfs, "x", ["/a"], ["/d"], False):
        pass


def test_a_record_that_dvc_is_writing_is_not_touched():
    (TMP / "rwlock").write_text("")
    guard = make_lock(str(TMP.absolute() / "rwlock.lock"), tmp_dir=str(TMP.absolute()))
    guard.lock()
    entries = {"/d": {"pid": 1, "cmd": "x"}}
    writer = Timer(1.0, lambda: (write(write=entries), guard.unlock()))
    writer.start()
    drop_dead(set())
    writer.join()
    assert recorded() == {"write": entries}


@pytest.mark.parametrize("content", ["[]", '{"read": 1}'])
def test_a_damaged_record_stops_no_job(content):
    (TMP / "rwlock").write_text(content)
    drop_dead(set())
    with kept(["in"], ["out"]):
        pass
    assert (TMP / "rwlock").read_text() == content


def test_rules_run_dvc_by_the_command_that_tells_their_entries(request):
    line = (request.config.rootpath / "Snakefile").read_text()
    assert "dvc --wait-for-lock repro --single-item {params.job} " in line and JOB.search(RULE + "label@tess")[1] == "label@tess"
