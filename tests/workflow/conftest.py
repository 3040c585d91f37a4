"""A copy of the project, built once by Snakemake with the preset `tiny`; every test works on a copy of that."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@dataclass
class Project:
    """A project folder with helpers that run the engines there and count the stage commands that really ran."""

    root: Path

    def run(self, *command: str, check: bool = True, **options) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1", **options.pop("env", {})}
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def snakemake(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        return self.run("snakemake", "--cores", "2", "results/report.md", *arguments, **options)

    def dvc(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        return self.run("dvc", *arguments, **options)

    def build(self, engine: str) -> None:
        if engine == "snakemake":
            self.snakemake()
        else:
            self.dvc("repro", "-q")

    def commands(self) -> list[str]:
        """Every stage command that ran to its end, as DVC addresses, e.g. ``train_fin@mel``."""
        log = self.root / "logs/commands.jsonl"
        entries = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return ["@".join([entry["stage"], "-".join(entry["item"])]).rstrip("@") for entry in entries]

    def ran_by(self, action) -> list[str]:
        """The commands that `action()` made run, sorted."""
        before = len(self.commands())
        action()
        return sorted(self.commands()[before:])

    def set(self, key: str, value: object) -> None:
        path = self.root / "params.yaml"
        values = yaml.safe_load(path.read_text())
        node = values
        *parts, last = key.split(".")
        for part in parts:
            node = node.setdefault(part, {})  # what is left out has its default
        node[last] = value
        path.write_text(yaml.safe_dump(values, sort_keys=False))

    def get(self, key: str) -> object:
        node = yaml.safe_load((self.root / "params.yaml").read_text())
        for part in key.split("."):
            node = node[part]
        return node

    def assert_clean(self) -> None:
        """Both engines say that there is nothing to do."""
        assert "up to date" in self.dvc("status").stdout
        dry = self.snakemake("-n")
        assert "Nothing to be done" in dry.stdout + dry.stderr

    def pushed_and_cloned(self, folder: Path) -> "Project":
        """Commit everything, push the results to a remote in `folder`, and clone the project there; nothing is pulled."""
        self.dvc("remote", "add", "-d", "store", str(folder / "store"))
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", "results")
        self.dvc("push", "-q")
        self.run("git", "clone", "-q", str(self.root), str(folder / "clone"))
        return Project(folder / "clone")

    def hashes(self) -> dict[str, str]:
        """DVC's md5 of every output, from dvc.lock."""
        stages = yaml.safe_load((self.root / "dvc.lock").read_text())["stages"].values()
        return {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}


def copy_of_the_source(target: Path) -> Project:
    """What git tracks or would track, as a repository of its own."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, names.stdout.splitlines()):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    project = Project(target)
    project.run("git", "init", "-q", ".")
    project.run("git", "config", "user.email", "test@finser.invalid")
    project.run("git", "config", "user.name", "test")
    return project


@pytest.fixture(scope="session")
def built(tmp_path_factory, worker_id) -> Project:
    """The whole of `tiny`, by Snakemake, from nothing: once, whatever the number of pytest's workers."""
    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    with FileLock(shared / "built.lock"):
        if not (shared / "built").exists():
            project = copy_of_the_source(shared / "building")
            project.run("finser", "preset", "tiny")
            project.snakemake()
            project.root.rename(shared / "built")
    return Project(shared / "built")


@pytest.fixture
def project(built, tmp_path) -> Project:
    """A copy of the built project that a test may do anything to."""
    subprocess.run(["cp", "-a", "--reflink=auto", built.root, tmp_path / "project"], check=True)
    yield Project(tmp_path / "project")
    shutil.rmtree(tmp_path / "project", ignore_errors=True)
