"""dvc.yaml seen by Snakemake: DVC says what every stage is and whether it is stale, Snakemake when and where it runs.

A matrix axis ``${item.corpus}`` is the wildcard ``{corpus}``; the key of a ``foreach`` stage is the wildcard ``{key}``. Every rule is

    input: dvc.inputs("label")    output: dvc.outs("label")    shell: dvc.repro("label")

and adds only what a scheduler needs and DVC does not know: threads, resources, log, benchmark, message. A fresh stage's inputs are
`ancient`, a stale one has one input more, a token file newer than its outputs that holds DVC's reason; so no timestamp of Snakemake's
can contradict DVC. (``ancient`` on all inputs would meet snakemake issue 4166, hence fresh stages only.)
"""

import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path, PurePosixPath

import yaml

from finser import params
from finser.corpora.registry import expected_count
from finser.errors import FinserError

TOKENS = Path(".snakemake/stale")
CLIPS_PER_WORKER = 100


def use_this_environment() -> None:
    """Let jobs find the `dvc` that stands beside this Python, whether or not its environment is activated."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def validate() -> None:
    """Check params.yaml against its schema before anything else; a bad one ends Snakemake with one line."""
    try:
        params.load()
    except FinserError as error:
        sys.exit(f"error: {error}")


class Pipeline:
    """The stages of dvc.yaml, with the values of params.yaml, as Snakemake's rules need them.

    Parameters
    ----------
    ancient : callable
        Snakemake's marker for an input whose age does not matter.
    """

    def __init__(self, ancient: Callable[[str], str] = str) -> None:
        self.ancient = ancient
        self.params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
        self.stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
        self.stale: set[str] = set()

    def body(self, name: str) -> dict:
        """A stage's command, deps and outs: under `do` where it is a `foreach` stage."""
        return self.stages[name].get("do", self.stages[name])

    def axes(self, name: str) -> dict[str, list[str]]:
        """Wildcards of a stage with their values; {} for a stage that is one job."""
        stage = self.stages[name]
        if "foreach" in stage:
            return {"key": list(self._values(stage["foreach"]))}
        return {axis: [str(value) for value in self._values(given)] for axis, given in stage.get("matrix", {}).items()}

    def _values(self, given: str | list | dict) -> list | dict:
        """``"${corpora}"`` -> the list or mapping in params.yaml; one written out stands for itself."""
        if not isinstance(given, str):
            return given
        node = self.params
        for key in given.removeprefix("${").removesuffix("}").split("."):
            node = node[key]
        return node

    def items(self, name: str) -> list[dict[str, str]]:
        """Every job of a stage, as wildcard values."""
        axes = self.axes(name)
        return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]

    def _paths(self, name: str, item: dict[str, str] | None, *sections: str) -> list[str]:
        """Paths in sections of a stage; for an item they are filled in, for None they are patterns with wildcards."""
        entries = itertools.chain.from_iterable(self.body(name).get(section, []) for section in sections)
        paths = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
        if item and "foreach" in self.stages[name]:  # ${item.begin} is a field of the foreach entry
            each = self._values(self.stages[name]["foreach"])
            paths = [re.sub(r"\$\{item\.(\w+)\}", lambda field: each[item["key"]][field[1]], path) for path in paths]
        patterns = [re.sub(r"\$\{(?:item\.)?(\w+)\}", r"{\1}", path) for path in paths]
        return patterns if item is None else [pattern.format(**item) for pattern in patterns]

    def outs(self, name: str) -> list[str]:
        """Output patterns of a stage, e.g. ``data/clips/{corpus}.parquet``."""
        return self._paths(name, None, "outs", "metrics", "plots")

    @cached_property
    def makers(self) -> dict[str, str]:
        """Which stage (by address) makes each output."""
        return {
            out: self.address(name, item)
            for name in self.stages
            for item in self.items(name)
            for out in self._paths(name, item, "outs", "metrics", "plots")
        }

    @cached_property
    def below(self) -> dict[str, list[str]]:
        """Every folder's stage outputs, at any depth; an index, since a preset may have thousands of jobs and outputs."""
        folders: dict[str, list[str]] = {}
        for out in self.makers:
            for folder in PurePosixPath(out).parents:
                folders.setdefault(str(folder), []).append(out)
        return folders

    def deps(self, name: str, item: dict[str, str]) -> list[str]:
        """What a job reads; a folder stands for every stage output below it, as in DVC's own graph."""
        found = [self.below.get(str(PurePosixPath(dep)), [dep]) for dep in self._paths(name, item, "deps")]
        return list(dict.fromkeys(itertools.chain.from_iterable(found)))

    def address(self, name: str, item: dict[str, str] | None = None) -> str:
        """DVC's name of a job, e.g. ``label@ravdess``; for None its pattern, ``label@{corpus}``."""
        axes = self.axes(name)
        pattern = f"{name}@{'-'.join(f'{{{axis}}}' for axis in axes)}" if axes else name
        return pattern if item is None else pattern.format(**item)

    def wildcard_constraints(self) -> dict[str, str]:
        """Every wildcard takes only the values that dvc.yaml and params.yaml name: a mistyped target fails at once."""
        values: dict[str, set[str]] = {}
        for name in self.stages:
            for axis, given in self.axes(name).items():
                values.setdefault(axis, set()).update(given)
        return {axis: "|".join(map(re.escape, sorted(given))) for axis, given in values.items()}

    def threads(self, name: str, cores: int | None) -> int:
        """Cores of one job of a stage that works in processes: its share when all jobs run at once, rounded up.

        For few clips no more than pay for starting workers. On a cluster Snakemake knows no number of cores (None): one each, and
        a profile's `set-threads` says more.
        """
        share = math.ceil((cores or 1) / len(self.items(name)))
        return 1 if share == 1 else min(share, math.ceil(self.largest / CLIPS_PER_WORKER))

    @cached_property
    def largest(self) -> int:
        """Clips of the largest corpus: those counted in a local folder, else as many as a complete one has."""
        sources = params.load().fetch
        return max(getattr(sources[corpus], "files", None) or expected_count(sources[corpus], corpus) for corpus in self.params["corpora"])

    @staticmethod
    def memory(wildcards: object, threads: int) -> int:
        """Megabytes of a job that works in processes: a mapped part of a corpus, and 600 per process (docs/architecture.md)."""
        return 1000 + 600 * threads

    def repro(self, name: str) -> str:
        """The shell line of a rule: DVC runs this one job, restores it from its cache, or finds it up to date."""
        address = self.address(name).replace("{", "{wildcards.")
        return f"FINSER_CORES={{threads}} dvc --wait-for-lock repro --single-item {address} 2>&1 | tee {{log}}"

    def ask(self) -> None:
        """Ask DVC what is stale and tell Snakemake: a stale job's token is new, a fresh one's is ancient.

        Only the main Snakemake process may ask: while a stage runs, DVC answers that it is busy.
        """
        self.clear_strays()
        asked = subprocess.run(["dvc", "--wait-for-lock", "status", "--json"], capture_output=True, text=True)
        if asked.returncode:
            sys.exit(f"error: dvc status: {' '.join(asked.stderr.split())}")
        reasons = json.loads(asked.stdout)
        TOKENS.mkdir(parents=True, exist_ok=True)
        for name in self.stages:
            for item in self.items(name):
                self._write_token(self.address(name, item), reasons)
        self.stale = self._closure(set(reasons))

    def clear_strays(self) -> None:
        """Remove what another preset made and no job makes now: a folder that is a dependency counts all that lies in it.

        Only outputs that dvc.lock records are taken away, so that DVC's cache still has them and nothing is lost.
        """
        lock = Path("dvc.lock")
        recorded = yaml.safe_load(lock.read_text(encoding="utf-8")).get("stages", {}) if lock.exists() else {}
        for out in [out["path"] for stage in recorded.values() for out in stage.get("outs", []) if out["path"] not in self.makers]:
            if Path(out).is_dir():
                shutil.rmtree(out)
            else:
                Path(out).unlink(missing_ok=True)

    def _write_token(self, job: str, reasons: dict) -> None:
        token = TOKENS / job
        if job in reasons:
            token.write_text(f"{json.dumps(reasons[job])} at {time.time_ns()}\n")  # new content: small files are compared by checksum
        else:
            token.touch()
            os.utime(token, (0, 0))

    def _closure(self, stale: set[str]) -> set[str]:
        """Whatever follows a stale job is stale, too."""
        needs = {self.address(name, item): self.deps(name, item) for name in self.stages for item in self.items(name)}
        while grown := {job for job, deps in needs.items() if job not in stale and any(self.makers.get(dep) in stale for dep in deps)}:
            stale = stale | grown
        return stale

    def inputs(self, name: str) -> Callable:
        """The input function of a rule."""

        def function(wildcards) -> list[str]:  # noqa: ANN001  (Snakemake's own type)
            item = dict(wildcards)
            job = self.address(name, item)
            mark = str if job in self.stale else self.ancient
            return [mark(dep) for dep in self.deps(name, item)] + [str(TOKENS / job)]

        return function
