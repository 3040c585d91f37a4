"""Outputs under names that params.yaml no longer has: removed only where DVC's cache holds them."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from finser.config import presets
from finser.config.dump import dump
from finser.errors import FinserError
from finser.project import strays
from finser.project.graph import Graph

ROOT = Path(__file__).parents[2]


def keep(content: bytes, suffix: str = "") -> str:
    """Put something into the cache, as DVC does."""
    md5 = hashlib.md5(content).hexdigest() + suffix
    path = Path(".dvc/cache/files/md5") / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5


@pytest.fixture
def project(tmp_path, monkeypatch, copy_stages):
    """`tiny`, whose dvc.lock still records a corpus that it does not have: a file and a folder, both in the cache."""
    monkeypatch.chdir(tmp_path)
    copy_stages(tmp_path)
    Path("params.yaml").write_text(dump(presets.make("tiny")))
    for path in ("data/clips/savee.parquet", "data/labels/savee/part-0.parquet", "data/labels/ravdess/part-0.parquet"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(path.encode())
    inside = [{"md5": keep(b"data/labels/savee/part-0.parquet"), "relpath": "part-0.parquet"}]
    record("index@savee", "data/clips/savee.parquet", keep(b"data/clips/savee.parquet"))
    record("label@savee", "data/labels/savee", keep(json.dumps(inside).encode(), ".dir"))
    record("label@ravdess", "data/labels/ravdess", "0" * 32 + ".dir")
    return tmp_path


def record(job: str, path: str, md5: str) -> None:
    lock = Path("dvc.lock")
    stages = yaml.safe_load(lock.read_text())["stages"] if lock.exists() else {}
    stages[job] = {"cmd": "x", "outs": [{"path": path, "md5": md5}]}
    lock.write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))


def test_what_the_cache_holds_is_removed_and_named(project):
    assert strays.clear(Graph()) == ["data/clips/savee.parquet", "data/labels/savee"]
    assert not Path("data/labels/savee").exists() and Path("data/labels/ravdess").exists()
    assert strays.clear(Graph()) == []


def test_only_below_the_folders_asked_for(project):
    assert strays.clear(Graph(), ["data/labels"]) == ["data/labels/savee"]
    assert Path("data/clips/savee.parquet").exists()


def test_the_cache_may_lie_on_another_disk(project, tmp_path_factory):
    """As the tutorial says: dvc cache dir PATH."""
    disk = tmp_path_factory.mktemp("disk")
    shutil.move(".dvc/cache", disk / "cache")
    subprocess.run([Path(sys.executable).with_name("dvc"), "init", "-q", "--no-scm", "-f"], check=True)
    subprocess.run([Path(sys.executable).with_name("dvc"), "cache", "dir", "-q", disk / "cache"], check=True)
    assert not Path(".dvc/cache/files").exists()
    assert strays.clear(Graph()) == ["data/clips/savee.parquet", "data/labels/savee"]


def spoil_content():
    Path("data/labels/savee/part-0.parquet").write_text("edited")


def spoil_one_more():
    Path("data/labels/savee/notes.txt").write_text("mine")


def spoil_cache():
    shutil.rmtree(".dvc/cache")


def spoil_file_in_cache():
    md5 = hashlib.md5(b"data/labels/savee/part-0.parquet").hexdigest()
    (Path(".dvc/cache/files/md5") / md5[:2] / md5[2:]).unlink()


@pytest.mark.parametrize("spoil", [spoil_content, spoil_one_more, spoil_cache, spoil_file_in_cache], ids=lambda spoil: spoil.__name__[6:])
def test_what_the_cache_does_not_hold_stays_and_is_named(project, spoil):
    spoil()
    before = sorted(path for path in Path("data").rglob("*"))
    with pytest.raises(FinserError, match="DVC's cache does not hold the same bytes"):
        strays.clear(Graph())
    assert sorted(path for path in Path("data").rglob("*")) == before


@pytest.mark.parametrize("path", ["../victim", "src/finser", "data", "data/../../victim", "/tmp/victim"])
def test_nothing_outside_of_the_results_is_touched(project, path):
    record("odd", path, keep(b"x"))
    assert path not in strays.recorded(Graph())


def test_litter_in_a_dropped_folder_is_removed_with_it(project):
    shutil.copy(ROOT / ".dvcignore", project)
    Path("data/labels/savee/.DS_Store").write_text("litter")
    assert "data/labels/savee" in strays.clear(Graph())


def test_a_truncated_content_in_the_cache_is_none(project):
    md5 = hashlib.md5(b"data/clips/savee.parquet").hexdigest()
    (Path(".dvc/cache/files/md5") / md5[:2] / md5[2:]).write_bytes(b"data")
    with pytest.raises(FinserError, match="does not hold the same bytes"):
        strays.clear(Graph())


@pytest.mark.parametrize("text", ["stages:\n", "schema: '2.0'\n", ""])
def test_a_lock_without_stages_records_nothing(project, text):
    Path("dvc.lock").write_text(text)
    assert strays.clear(Graph()) == []


def test_a_lock_with_merge_marks_is_one_line(project):
    Path("dvc.lock").write_text("<<<<<<< HEAD\nstages:\n=======\nstages:\n>>>>>>> other\n")
    with pytest.raises(FinserError, match="dvc.lock: not YAML"):
        strays.clear(Graph())


@pytest.mark.parametrize("name", ["savee/part-0.parquet", "notes.txt"])
def test_what_no_job_makes_is_refused_where_a_job_reads_its_folder(project, name):
    """Nothing is recorded of it: a stage was run by hand, or dvc.lock is of another branch."""
    Path("dvc.lock").unlink()
    shutil.rmtree("data/labels/savee")
    graph = Graph()
    strays.check(graph, ["data/labels", "data/clips/ravdess.parquet", "src/finser"])
    Path("data/labels", name).parent.mkdir(exist_ok=True)
    Path("data/labels", name).write_text("x")
    with pytest.raises(FinserError, match=rf"^data/labels/{name.split('/')[0]}: no job makes it"):
        strays.check(graph, ["data/labels"])
    strays.check(graph, ["data/shards"])


def test_litter_and_partial_folders_are_no_inputs(project):
    shutil.copy(ROOT / ".dvcignore", project)
    shutil.rmtree("data/labels/savee")
    for name in (".DS_Store", ".gitignore", ".partial-x-1", "Thumbs.db"):
        Path("data/labels", name).write_text("x")
    strays.check(Graph(), ["data/labels"])


def test_what_git_keeps_is_no_stray(project):
    """As results/fusions/README.md of this project, also where nothing is committed yet: an unpacked archive."""
    subprocess.run(["git", "init", "-q"], check=True)
    Path(".gitignore").write_text("/data/**\n!/data/**/\n!README.md\n")
    for name in ("README.md", "notes.txt"):
        Path("data/labels", name).write_text("what lies here\n")
        if name == "README.md":
            strays.check(Graph(), ["data/labels"])
    with pytest.raises(FinserError, match=r"notes.txt: no job makes it"):
        strays.check(Graph(), ["data/labels"])


def test_of_results_git_keeps_the_readmes_alone():
    paths = [ROOT / path for path in ("results/fusions/README.md", "results/fusions/x/metrics.json", "models/x")]
    assert strays._ignored_by_git(paths) == paths[1:]


def test_folders_that_a_removal_leaves_empty_go_too(project):
    """An empty folder of a dropped name is no input, but looks like one."""
    path = Path("results/classifiers/mlp/speaker/1/metrics.json")
    path.parent.mkdir(parents=True)
    path.write_text("{}\n")
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    lock["stages"]["gone"] = {"outs": [{"path": str(path), "md5": keep(b"{}\n")}]}
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    strays.clear(Graph())
    assert not Path("results/classifiers").exists() and Path("results").exists()


def test_an_empty_folder_and_what_a_run_would_remove_are_no_strays(project):
    """Before a run, dropped outputs are still there: the run removes them, and says so."""
    Path("data/labels/gone/deep").mkdir(parents=True)
    assert "data/labels/savee" in strays.recorded(Graph())
    strays.check(Graph(), ["data/labels"])
    Path("data/labels/gone/deep/a.parquet").write_text("x")
    with pytest.raises(FinserError, match="data/labels/gone: no job makes it"):
        strays.check(Graph(), ["data/labels"])
