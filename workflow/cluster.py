"""What Snakemake does not say on a cluster: that no node can take a job, before anything is submitted, and why a job failed."""

import asyncio
import atexit
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline import Pipeline
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from finser.errors import FinserError
from finser.project import claims
from finser.project.partitions import Request, check
from finser.tools.cluster.slurm import refuses

SLURM = "exceeded memory limit|oom.kill|OOM|Out Of Memory|MemoryError|CANCELLED AT|NODE FAIL|Unable to create step"
TOLD = re.compile(rf"^error: .*|.*(?:{SLURM}).*", re.MULTILINE)  # lines of a job's logs that say why it ended
MOST = 3  # lines for each job


def check_jobs(dvc: Pipeline) -> None:
    """Refuse a run of which a partition does not take a job, and ask Slurm itself where it is the scheduler. Nothing is submitted."""
    path = Path(dvc.workflow.config["partitions"])
    try:
        if path.parent.name == "slurm" and not shutil.which("sbatch"):
            raise FinserError("no command sbatch here", do="run on a login node of the cluster")
        for (request, name, account), job in _requests(dvc).items():
            partition = next((one for one in dvc.partitions if one.name == name), None)
            if partition:  # a profile's set-resources may name another one, of which nothing is known here
                check(job, request, partition, path)
            if shutil.which("sbatch") and (why := refuses(name, request, account)):
                raise FinserError(f"Slurm does not take {job}", where=f"partition {name}", expected=request.words, found=why)
    except FinserError as error:
        sys.exit(f"error: {error}")


def check_queue() -> None:
    """Refuse a run while Slurm jobs of this folder wait: a killed Snakemake left them, and they would run beside those of this one."""
    if not shutil.which("squeue"):
        return
    answer = subprocess.run(["squeue", "--me", "--noheader", "--states=PENDING", "--format=%i|%Z"], capture_output=True, text=True)
    jobs = [job for job, _, folder in (line.partition("|") for line in answer.stdout.splitlines()) if folder == str(Path.cwd())]
    if jobs:
        sys.exit(f"error: Slurm jobs of an earlier run of Snakemake wait: {', '.join(jobs)}; cancel them: scancel {' '.join(jobs)}")


def wait_for_running() -> None:
    """Wait for jobs that an earlier run left: Snakemake would remove their outputs while they write them."""
    while found := claims.running():
        for job, owner in found.items():
            print(f"waiting for {job} ({owner.words}); to stop it: {owner.stop}", file=sys.stderr, flush=True)
        while claims.running().keys() & found.keys():
            time.sleep(claims.POLL)


def check_at_the_end_of_a_dry_run(dvc: Pipeline) -> None:
    """Call :func:`check_jobs` when ``snakemake -n`` ends: Snakemake calls no handler there."""

    def finish() -> None:
        if dvc.workflow.dryrun and dvc.workflow.dag is not None:
            try:
                check_jobs(dvc)
            except SystemExit as refused:
                print(refused, file=sys.stderr, flush=True)
                os._exit(1)  # a handler at exit can end with a status in no other way

    atexit.register(finish)


def poll_steadily(workflow: Any) -> None:
    """Ask for the states of jobs every seconds-between-status-checks: Slurm's plugin waits 10 s longer each time, up to 3 minutes."""
    seconds = workflow.remote_execution_settings.seconds_between_status_checks
    workflow.scheduler._executor.sleep = lambda: asyncio.sleep(seconds)


def _requests(dvc: Pipeline) -> dict[tuple[Request, str, str], str]:
    """Return what the jobs to be submitted ask for, with partition and account -> the first such job, or first of such a group."""
    members = defaultdict(list)
    for job in dvc.workflow.dag.needrun_jobs(exclude_finished=False):  # at the end of a dry run all count as finished
        if job.rule.name in dvc.stages and not dvc.stages[job.rule.name].local:
            members[dvc.workflow.dag.get_job_group(job) or job].append(job)
    found: dict[tuple[Request, str, str], str] = {}
    for jobs in members.values():
        asked = [job.resources for job in jobs]
        most = [max(resources.get(key, 0) for resources in asked) for key in ("_cores", "mem_mb", "gpu")]
        request = Request(most[0], most[1], sum(resources.get("runtime", 0) for resources in asked), most[2])
        named = [str(asked[0].get(key) or "") for key in ("slurm_partition", "slurm_account")]
        largest = max(jobs, key=lambda job: (job.resources.get("mem_mb", 0), job.rule.name))
        others = f" and {len(jobs) - 1} more jobs, in one group" if len(jobs) > 1 else ""
        found.setdefault((request, *named), dvc.address(largest.rule.name, dict(largest.wildcards)) + others)
    return found


class Reasons(logging.Handler):
    """Print why a job failed, from its log and from the scheduler's, when Snakemake reports the failure."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line for each reason, once for a group of jobs."""
        event = getattr(record, "event", None)
        if event == LogEvent.GROUP_ERROR:
            logs = [*record.aux_logs, *(log for info in record.job_error_info for log in info["log"])]
            name = ", ".join(sorted({info["rule_name"] for info in record.job_error_info}))
        elif event == LogEvent.JOB_ERROR and not record.indent:
            logs, name = record.log, record.rule_name
        else:
            return
        for reason in list(reasons(logs))[-MOST:]:
            print(f"reason ({name}): {reason}", file=sys.stderr, flush=True)


def reasons(logs: Iterable[str]) -> Iterator[str]:
    """Yield the lines of logs that say why a job ended, each once."""
    seen = set()
    for log in logs:
        text = Path(log).read_text(encoding="utf-8", errors="replace") if Path(log).is_file() else ""
        for line in map(str.strip, TOLD.findall(text)):
            if line not in seen:
                seen.add(line)
                yield line


def tell_reasons() -> None:
    """Let Snakemake's logger print the reasons of failures; once, even if a program loads several workflows."""
    if not any(type(handler).__name__ == Reasons.__name__ for handler in logger.handlers):
        logger.addHandler(Reasons())
