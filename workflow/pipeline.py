"""dvc.yaml seen by Snakemake: DVC says what every stage is and whether it is stale, Snakemake when and where it runs.

The Snakefile makes one rule of every stage of dvc.yaml. An example of how the two engines agree: somebody edits labels.py, so that DVC
calls ``label@ravdess`` stale, and everything else fresh. The rule of ``label@ravdess`` then gets one more input that is newer than its
outputs: a token file that holds DVC's reason. Snakemake therefore runs it, and after it every job that reads what it makes. The inputs
of ``augment@ravdess``, which is fresh, are marked `ancient`, so that no file time can make Snakemake run what DVC calls fresh. Only inputs
of fresh jobs are marked, because marking all inputs triggers Snakemake issue 4166.

Nothing here changes a file outside .snakemake before a run really begins.
"""

import atexit
import gc
import json
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from dvc.dvcfile import load_file
from dvc.exceptions import DvcException
from dvc.ignore import DvcIgnorePatterns
from dvc.pathspec_math import PatternInfo
from dvc.repo import Repo, lock_repo
from dvc.stage import Stage as DvcStage
from snakemake.cli import get_argument_parser
from snakemake.io import directory, report
from snakemake.settings.types import RerunTrigger

from finser.cards import cards
from finser.config import params
from finser.config.inputs import check_inputs
from finser.config.sections.fetch import Table
from finser.corpora.counts import expected_count
from finser.corpora.tables.listing import changed_tables, number_of_rows
from finser.errors import FinserError, lines
from finser.project import claims, libraries, strays
from finser.project.graph import Graph
from finser.project.partitions import Partition, load, of
from finser.project.place import check_git, check_lock, check_place
from finser.project.run import uses_gpu
from finser.project.stages import DVC, Stage

TOKENS = Path(".snakemake/stale")
LOCKS = Path(".snakemake/locks")
CAPTIONS = Path("workflow/report")
CLIPS_PER_WORKER = 100
LOGIN_CORES = 4  # of `fetch` on a login node, which others use, too
LARGE_CORPUS = 10_000  # clips for which the times in dvc.yaml are meant, on one core
LEAST_MINUTES = 15  # time limit of any job that works on clips


def use_this_environment() -> None:
    """Let jobs find the `dvc` beside this Python, whether or not its environment is activated."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def validate() -> None:
    """Check the folder and params.yaml before anything else; a fault ends Snakemake with a line for each error."""
    try:
        check_place()
        check_git()
        check_lock()
        check_inputs(params.load())
    except FinserError as error:
        sys.exit(lines(error))


def _targets() -> list[str]:
    """Targets on Snakemake's command line; none if another program runs the workflow."""
    return get_argument_parser().parse_args().targets if Path(sys.argv[0]).stem in ("snakemake", "__main__") else []


@contextmanager
def without_collection() -> Iterator[None]:
    """Switch Python's search for unreachable cycles off, and leave what is made here out of later searches.

    With 900 jobs these searches take a sixth of the time of ``snakemake -n``.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def memory(threads: int) -> int:
    """Megabytes of a job that works in processes: a mapped part of a corpus, and 600 per process (docs/architecture.md)."""
    return 1000 + 600 * threads


def grown(need: int, attempt: int, limit: int | None) -> int:
    """What an attempt asks for: more than the one before, up to what the cluster has. The first one asks for the need as it is."""
    return need * attempt if limit is None else max(need, min(need * attempt, limit))


def status(repo: Repo, busy: Iterable[str] = ()) -> dict[str, list]:
    """Ask DVC which jobs are stale: the same jobs as in `repo.status()`, in a fraction of the time where there are many.

    Jobs that run now, `busy`, and those that follow them are stale, and their files are not read: they change.

    `repo.status()` locks the files of every job on their own, computes the checksum of, say, src/finser/models for each of 900 jobs, and
    looks at jobs that never ran. This function asks DVC for a dependency once for each checksum that dvc.lock records, and leaves out jobs
    that dvc.lock does not record: they are stale. It does not lock files, because jobs that run are claimed, and are not looked at.
    """
    loaded, answers = load_file(repo, str(DVC)).stages, {}
    jobs = [loaded[name] for name in loaded if name in loaded.lockfile_data and name not in busy]
    found = {job.addressing: reasons for job in jobs if (reasons := _reasons(job, answers))}
    return found | {name: ["not in dvc.lock"] for name in loaded if name not in loaded.lockfile_data} | dict.fromkeys(busy, ["runs now"])


def _reasons(job: DvcStage, answers: dict[tuple, dict]) -> list:
    """Why one job is stale, in the words of ``dvc status``; empty for a fresh one. `answers` holds those given before."""
    reasons = []
    for kind, entries in (("changed deps", job.deps), ("changed outs", job.outs)):
        changed = {}
        for entry in entries:
            key = (kind, entry.fs_path, str(entry.hash_info), tuple(getattr(entry, "params", ())))
            if key not in answers:
                answers[key] = entry.status()
            changed |= answers[key]
        reasons += [{kind: changed}] if changed else []
    if job.is_callback or job.always_changed:
        reasons.append("always changed")
    return [*reasons, "changed command"] if job.changed_stage() else reasons


class Pipeline(Graph):
    """The jobs of dvc.yaml as Snakemake's rules need them.

    Parameters
    ----------
    ancient : callable
        Snakemake's marker for an input whose age does not matter.
    cores : int, optional
        Cores of the whole run; None on a cluster.
    partitions : str, optional
        File of the cluster's partitions, which ``finser cluster`` writes.
    workflow : snakemake.workflow.Workflow, optional
        The workflow whose jobs run by DVC's answers alone.
    """

    def __init__(
        self, ancient: Callable[[str], str] = str, cores: int | None = None, partitions: str | None = None, workflow: Any = None
    ) -> None:
        try:
            super().__init__()
            for name in self.stages:
                self.axes(name), self.outs(name)
            self.partitions = load(Path(partitions)) if partitions else []
        except FinserError as error:  # a fault of dvc.yaml, or of the file of partitions
            sys.exit(lines(error))
        self.ancient, self.workflow = ancient, workflow
        self.cores = None if partitions else cores
        self.stale: set[str] = set()
        self.refused = False

    def wildcards(self, name: str) -> dict[str, str]:
        """Constraints of a rule: every wildcard takes only the values that dvc.yaml and params.yaml name for this stage."""
        return {axis: "|".join(map(re.escape, values)) or "(?!)" for axis, values in self.axes(name).items()}

    def outputs(self, name: str) -> list[str]:
        """Outputs of a rule. One without a suffix is a folder; a page of Markdown goes into Snakemake's report, with its caption."""
        return [self._output(Path(out)) for out in self.outs(name)]

    @staticmethod
    def _output(out: Path) -> str:
        """Mark one output as what it is to Snakemake."""
        if out.suffix == ".md":
            return report(str(out), caption=str(CAPTIONS.resolve() / f"{out.stem}.rst"), category=out.stem.capitalize())
        return str(out) if out.suffix else directory(str(out))

    def record(self, name: str) -> str:
        """Name of a rule's log and benchmark, e.g. ``label/{corpus}``, or ``report/all`` for a stage of one job."""
        return f"{name}/{'-'.join(f'{{{axis}}}' for axis in self.stages[name].wildcards) or 'all'}"

    def message(self, name: str) -> str:
        """What a rule says when a job begins."""
        return self.description(name).replace("{", "{wildcards.")

    def threads(self, name: str) -> Callable | int:
        """Cores of one job: one, or, where a job works on clips in processes, in proportion to the clips of its corpus.

        For few clips no more than pay for starting workers. On a cluster a job has as many as the partition's largest node, and on the
        login node no more than :data:`LOGIN_CORES`; one if no file of partitions says how many there are.
        """
        stage = self.stages[name]

        def function(wildcards) -> int:  # noqa: ANN001  (Snakemake's own type)
            most = of(self.partitions, 0).threads if self.partitions else self.cores or 1
            most = min(most, LOGIN_CORES) if self.partitions and stage.local else most
            if most == 1:
                return 1  # a corpus that does not exist yet is counted with its synthesiser, which takes half a second to import
            clips = self.clips[wildcards.corpus]
            part = 1 if self.partitions else clips / sum(self.clips.values())
            return max(1, min(math.ceil(most * part), math.ceil(clips / CLIPS_PER_WORKER)))

        return function if stage.per_clip else 1

    def resources(self, name: str) -> dict[str, object]:
        """Memory, minutes and GPUs of one job, as dvc.yaml says below the stage's ``meta``, and on a cluster its partition.

        A second attempt asks for more memory and, outside a group, more time; a group continues where its first attempt ended. ``slot``
        lets the jobs of a group run in turn.
        """
        stage = self.stages[name]

        def limit(wildcards) -> Partition | None:  # noqa: ANN001
            return of(self.partitions, gpu(wildcards)) if self.partitions else None

        def mem_mb(wildcards, threads: int, attempt: int) -> int:  # noqa: ANN001
            most = limit(wildcards).mem_mb if self.partitions else None
            return 0 if most == 0 else grown(memory(threads) if stage.per_clip else stage.mem_mb, attempt, most)

        def runtime(wildcards, attempt: int) -> int:  # noqa: ANN001
            most = limit(wildcards).minutes if self.partitions else None
            in_group = self.group(name) and self.group(name)(wildcards)
            return grown(self._minutes(stage, wildcards), 1 if in_group else attempt, most)

        def gpu(wildcards) -> int:  # noqa: ANN001
            """1 for a network that uses one, if there is one; 0 for SVM and MLP."""
            return min(1, self.cards) if self._on_gpu(stage, wildcards) else 0

        found = {"mem_mb": mem_mb, "runtime": runtime, "gpu": gpu, "slot": 1}
        return found | ({"slurm_partition": lambda wildcards: limit(wildcards).name} if self.partitions else {})

    def _minutes(self, stage: Stage, wildcards: Any) -> int:
        """Time limit of a job: that of dvc.yaml, which large corpora need; on a cluster less for smaller ones, because limits add up."""
        if stage.per_clip and self.partitions:
            return max(LEAST_MINUTES, math.ceil(stage.runtime * self.clips[wildcards.corpus] / LARGE_CORPUS))
        return stage.runtime if self._on_gpu(stage, wildcards) else stage.cpu_runtime or stage.runtime

    def group(self, name: str) -> Callable | None:
        """Return the function that names the group of a job; None for a stage without groups, as a rule with one is never local."""
        stage = self.stages[name]
        return (lambda wildcards: None if self._on_gpu(stage, wildcards) else stage.group) if stage.group else None

    def _on_gpu(self, stage: Stage, wildcards: Any) -> bool:
        return uses_gpu(self.checked, stage, dict(wildcards.items()))

    @cached_property
    def checked(self) -> params.Params:
        """params.yaml, validated: once, because a thousand jobs ask for it."""
        return params.load()

    @cached_property
    def clips(self) -> dict[str, int]:
        """Clips of each corpus: as many as a complete copy has, or about as many as its table has rows."""
        sources = {corpus: self.checked.fetch[corpus] for corpus in self.params["corpora"]}
        return {
            corpus: number_of_rows(corpus) or LARGE_CORPUS if isinstance(source, Table) else expected_count(source, corpus)
            for corpus, source in sources.items()
        }

    @cached_property
    def cards(self) -> int:
        """GPUs of this machine, or of a node of the cluster; one for each job that asks if no file of partitions says how many."""
        return of(self.partitions, 1).gpus if self.partitions else len(cards()) if self.cores else 1

    def ask(self) -> None:
        """Ask DVC what is stale and tell Snakemake: a stale job's token is new, a fresh one's is ancient.

        Only the main Snakemake process may ask: while a stage runs, DVC answers that it is busy. Outputs under names that params.yaml
        no longer has count as removed, because a run removes them first.
        """
        for notice in changed_tables(self.checked):
            print(notice, file=sys.stderr, flush=True)
        with without_collection():
            reasons = self._status(self._closure(self.running()))
        TOKENS.mkdir(parents=True, exist_ok=True)
        for name in self.stages:
            for item in self.items(name):
                self._write_token(self.address(name, item), reasons)
        self.stale = self._closure(set(reasons))

    def running(self) -> set[str]:
        """Name the jobs that run now, here or on another host, and say how to stop them."""
        for job, owner in (found := claims.running()).items():
            print(f"{job} runs already ({owner.words}); to stop it: {owner.stop}", file=sys.stderr, flush=True)
        return set(found)

    def _status(self, busy: set[str]) -> dict[str, list]:
        """What ``dvc status --json`` would say after :meth:`clear_strays`: stale job -> why."""
        try:
            with Repo(_wait_for_lock=True) as repo, lock_repo(repo):
                seen = repo.dvcignore.ignores_trie_fs
                ours = [PatternInfo(f"/{path}", "strays") for path in strays.recorded(self)]
                seen[()] = DvcIgnorePatterns([*seen[()].pattern_list, *ours], seen[()].dirname, os.sep)
                return status(repo, busy)
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
        """Refuse a target that no job makes, and a stage of several jobs."""
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
        """Write the token of one job: new, with DVC's reason, if the job is stale, and of no age if it is fresh."""
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

    def leave_staleness_to_dvc(self) -> None:
        """Disable Snakemake's comparison of a job's inputs and code with its own records, which runs of `dvc repro` do not update."""
        if self.workflow and self.workflow.dag_settings:
            self.workflow.dag_settings.rerun_triggers = frozenset({RerunTrigger.MTIME})

    def inputs(self, name: str) -> Callable:
        """The input function of a rule."""

        def function(wildcards) -> list[str]:  # noqa: ANN001  (Snakemake's own type)
            self.leave_staleness_to_dvc()  # here, because Snakemake has its settings only when it makes the jobs
            item = dict(wildcards)
            job = self.address(name, item)
            mark = str if job in self.stale else self.ancient
            return [mark(dep) for dep in self.deps(name, item)] + [str(TOKENS / job)]

        return function
