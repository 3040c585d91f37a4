"""dvc.yaml seen by Snakemake: DVC says what every stage is and whether it is stale, Snakemake when and where it runs.

Every rule is

    input: dvc.inputs("label")    output: dvc.outs("label")    shell: dvc.repro("label")

and adds only what a scheduler needs and DVC does not know: threads, resources, log, benchmark, message. An example: somebody edits
labels.py, so that DVC calls ``label@ravdess`` stale. Its rule then has an input more, a token file newer than its outputs that holds
DVC's reason, and Snakemake runs it and all that follows. The inputs of ``augment@ravdess``, which is fresh, are `ancient`: no
timestamp of Snakemake's can contradict DVC. (``ancient`` on all inputs would meet snakemake issue 4166, hence fresh stages only.)

Nothing here changes a file outside .snakemake before a run really begins.
"""

import atexit
import json
import math
import os
import re
import sys
import time
from collections.abc import Callable
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.ignore import DvcIgnorePatterns
from dvc.pathspec_math import PatternInfo
from dvc.repo import Repo
from snakemake.cli import get_argument_parser

from finser.cards import cards
from finser.config import schema as params
from finser.corpora.counts import expected_count
from finser.errors import FinserError, lines
from finser.project import libraries, strays
from finser.project.graph import Graph
from finser.project.place import check_git, check_lock, check_place

TOKENS = Path(".snakemake/stale")
LOCKS = Path(".snakemake/locks")
CLIPS_PER_WORKER = 100
PER_CORPUS = ("fetch", "index", "resample", "augment", "label")


def use_this_environment() -> None:
    """Let jobs find the `dvc` that stands beside this Python, whether or not its environment is activated."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def validate() -> None:
    """Check the folder and params.yaml before anything else; what is wrong ends Snakemake with one line."""
    try:
        check_place()
        check_git()
        check_lock()
        params.load()
    except FinserError as error:
        sys.exit(lines(error))


def _targets() -> list[str]:
    """Targets on Snakemake's command line; none if another program runs the workflow."""
    return get_argument_parser().parse_args().targets if Path(sys.argv[0]).stem in ("snakemake", "__main__") else []


class Pipeline(Graph):
    """The jobs of dvc.yaml as Snakemake's rules need them.

    Parameters
    ----------
    ancient : callable
        Snakemake's marker for an input whose age does not matter.
    cores : int, optional
        Cores of the whole run; None on a cluster, where the profile says more.
    """

    def __init__(self, ancient: Callable[[str], str] = str, cores: int | None = None) -> None:
        super().__init__()
        self.ancient, self.cores = ancient, cores
        self.stale: set[str] = set()
        self.refused = False

    def wildcards(self, name: str) -> dict[str, str]:
        """Constraints of a rule: every wildcard takes only the values that dvc.yaml and params.yaml name for this stage."""
        return {axis: "|".join(map(re.escape, values)) or "(?!)" for axis, values in self.axes(name).items()}

    def threads(self, name: str) -> Callable:
        """Cores of one job of a stage that works in processes: in proportion to the clips of its corpus.

        For few clips no more than pay for starting workers. On a cluster Snakemake knows no number of cores: one each, and a
        profile's `set-threads` says more.
        """

        def function(wildcards) -> int:  # noqa: ANN001  (Snakemake's own type)
            clips = self.clips[wildcards.corpus]
            fraction = clips / sum(self.clips.values())
            return max(1, min(math.ceil((self.cores or 1) * fraction), math.ceil(clips / CLIPS_PER_WORKER)))

        return function

    @cached_property
    def clips(self) -> dict[str, int]:
        """Clips of each corpus: those counted in a local folder, else as many as a complete one has."""
        sources = params.load().fetch
        return {
            corpus: getattr(sources[corpus], "files", None) or expected_count(sources[corpus], corpus) for corpus in self.params["corpora"]
        }

    @staticmethod
    def memory(wildcards: object, threads: int) -> int:
        """Megabytes of a job that works in processes: a mapped part of a corpus, and 600 per process (docs/architecture.md)."""
        return 1000 + 600 * threads

    @cached_property
    def cards(self) -> int:
        """GPUs of this machine; a cluster has one for each job that asks."""
        return len(cards()) if self.cores else 1

    def gpu(self, wildcards) -> int:  # noqa: ANN001
        """GPUs that a job asks for: 1 for a network that trains on one, if there is one; 0 for SVM and MLP."""
        name = getattr(wildcards, "model", getattr(wildcards, "trunk", None))
        section = params.load().train_classifier.get(name) if name else None
        return min(1, self.cards) if section is None or section.on_gpu else 0

    def repro(self, name: str) -> str:
        """The shell line of a rule: DVC runs this one job, restores it from its cache, or finds it up to date."""
        address = self.address(name).replace("{", "{wildcards.")
        return f"FINSER_CORES={{threads}} dvc --wait-for-lock repro --single-item {address} 2>&1 | tee {{log}}"

    def ask(self) -> None:
        """Ask DVC what is stale and tell Snakemake: a stale job's token is new, a fresh one's is ancient.

        Only the main Snakemake process may ask: while a stage runs, DVC answers that it is busy. Outputs under names that params.yaml
        no longer has count as removed, because a run removes them first.
        """
        reasons = self._status()
        TOKENS.mkdir(parents=True, exist_ok=True)
        for name in self.stages:
            for item in self.items(name):
                self._write_token(self.address(name, item), reasons)
        self.stale = self._closure(set(reasons))

    def _status(self) -> dict:
        """``dvc status --json``, as if :meth:`clear_strays` had been called."""
        try:
            with Repo(_wait_for_lock=True) as repo:
                seen = repo.dvcignore.ignores_trie_fs
                ours = [PatternInfo(f"/{path}", "strays") for path in strays.recorded(self)]
                seen[()] = DvcIgnorePatterns([*seen[()].pattern_list, *ours], seen[()].dirname, os.sep)
                return repo.status()
        except DvcException as error:
            sys.exit(f"error: dvc status: {' '.join(str(error).split())}")

    def check_run(self) -> None:
        """Refuse mistyped targets, libraries of other versions than DVC would record, and files that no job makes, in one line."""
        try:
            libraries.check(self, *self.stages)
            strays.check(self, {dep for name in self.stages for item in self.items(name) for dep in self.paths(name, item, "deps")})
            for target in _targets():
                self._check_target(target)
        except FinserError as error:
            sys.exit(f"error: {error}")

    def _check_target(self, target: str) -> None:
        target = os.path.relpath(target) if os.path.sep in target else target
        if target in self.stages and self.axes(target):
            raise FinserError("a stage of several jobs", where=target, do=f"name an output, as in {self.outs(target)[0]}")
        known = [*self.stages, "all", *self.makers]
        if target not in known and not target.startswith("logs/"):
            close = get_close_matches(target, known, n=1)
            do = f"did you mean '{close[0]}'?" if close else "snakemake -n results/report.md lists all jobs"
            raise FinserError("no stage makes this target", where=target, do=do)

    def clear_strays(self) -> None:
        """Remove outputs under names that params.yaml no longer has, and name them; see :mod:`finser.project.strays`."""
        try:
            strays.clear_and_say(self)
        except FinserError as error:
            self.refused = True
            sys.exit(f"error: {error}")

    def clear_at_the_end(self, workflow) -> None:  # noqa: ANN001
        """Call :meth:`clear_strays` when a run ends, too: Snakemake calls no handler where there is nothing to be done."""

        def finish() -> None:
            """Only after a real run, and not beside another one. A handler at exit can end with a status by os._exit alone."""
            if self.refused:
                return
            if workflow.executor_plugin and not workflow.dryrun and not workflow.touch and not any(LOCKS.glob("*")):
                try:
                    strays.clear_and_say(self)
                except FinserError as error:
                    print(f"error: {error}", file=sys.stderr, flush=True)
                    os._exit(1)

        atexit.register(finish)

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
