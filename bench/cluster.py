"""Measure what Slurm adds to the jobs of a finished run: `python bench/cluster.py PROJECT COMPLETED` writes docs/cluster_overhead.json.

PROJECT is a project that a single `snakemake --profile workflow/profiles/slurm` run has just finished. COMPLETED is the file of Slurm's
plugin jobcomp/filetxt, which .ci/slurm configures. `python bench/cluster.py` alone writes the paragraph *Overhead* of docs/cluster.md.

- Overhead of a Slurm job: its time, from start to end, less the times of its Snakemake jobs, which Snakemake's benchmarks measure in it.
- Delay of a level: from the end of a Slurm job until Snakemake knows of it.
"""

import argparse
import csv
import re
import statistics
from datetime import datetime
from pathlib import Path

from finser.files import read_json, write_json, write_text

FILE, PAGE = Path("docs/cluster_overhead.json"), Path("docs/cluster.md")
MARKS = "<!-- overhead -->\n"
SUBMITTED = re.compile(r"^Job \S+ has been submitted with SLURM jobid (\d+) \(log: .*slurm_logs/(\S+)/\d+\.log\)", re.MULTILINE)
KNOWN = re.compile(r"^\[\w+ (\w+ +\d+ \S+ \d+)\]\nFinished jobid: \d+ \(Rule: (\w+)\)", re.MULTILINE)
BEGUN = re.compile(r"JobId=(\d+) .*?StartTime=(\S+) EndTime=(\S+)")


def measure(project: Path, completed: Path) -> dict:
    """Return medians and largest values, in seconds, of overheads and delays."""
    log = max((project / ".snakemake/log").glob("*.log")).read_text(encoding="utf-8")
    jobs = BEGUN.finditer(completed.read_text(encoding="utf-8"))
    times = {found[1]: tuple(map(datetime.fromisoformat, found.groups()[1:])) for found in jobs}
    known = [(datetime.strptime(found[1], "%b %d %H:%M:%S %Y"), found[2]) for found in KNOWN.finditer(log)]  # noqa: DTZ007
    overheads, delays, work = [], [], 0.0
    for found in SUBMITTED.finditer(log):
        start, end = times[found[1]]
        seconds = sum(map(benchmark, benchmarks(project, found[2])))
        work += seconds
        overheads.append((end - start).total_seconds() - seconds)
        rule = found[2].split("/")[0].removeprefix("rule_")
        delays += sorted((moment - end).total_seconds() for moment, name in known if name == rule and moment >= end)[:1]
    return {
        "slurm_jobs": len(overheads),
        "snakemake_jobs": len(list((project / "logs/benchmarks").rglob("*.tsv"))),
        "overhead_median": round(statistics.median(overheads), 1),
        "overhead_largest": round(max(overheads), 1),
        "delay_median": round(statistics.median(delays), 1),
        "delay_largest": round(max(delays), 1),
        "work": round(work, 1),
    }


def benchmarks(project: Path, name: str) -> list[Path]:
    """Return the benchmark files of a Slurm job, by the name of its log: ``rule_train_fin/mel`` or ``group_report_report_summarise``."""
    folder = project / "logs/benchmarks"
    kind, _, rest = name.partition("_")
    if kind == "rule":
        rule, _, item = rest.partition("/")
        wanted = re.sub(r"\W", "_", item or "all")
        return [path for path in (folder / rule).glob("*.tsv") if re.sub(r"\W", "_", path.stem) == wanted]
    return [path for path in folder.rglob("*.tsv") if re.search(rf"_{path.parent.name}(_|$)", f"_{rest}")]


def benchmark(path: Path) -> float:
    """Return the seconds of a benchmark file."""
    with path.open(encoding="utf-8", newline="") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["s"])


def paragraph(found: dict) -> str:
    """Return the paragraph of docs/cluster.md."""
    return (
        f"Measured with the preset `tiny` on a Slurm of one node: {found['snakemake_jobs']} jobs become {found['slurm_jobs']} Slurm jobs. "
        f"A Slurm job takes {found['overhead_median']} s longer than its jobs (median; at most {found['overhead_largest']} s), because "
        f"Snakemake starts twice in it. Snakemake knows of its end after {found['delay_median']} s (at most {found['delay_largest']} s). "
        f"Both are less than a tenth of a job that takes longer than {10 * (found['overhead_median'] + found['delay_median']):.0f} "
        f"s. The Slurm jobs of `tiny` take {found['work'] / found['slurm_jobs']:.0f} s on average.\n"
    )


def page(text: str, found: dict) -> str:
    """Return docs/cluster.md with the paragraph."""
    before, _, after = text.split(MARKS)
    return f"{before}{MARKS}{paragraph(found)}{MARKS}{after}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", nargs="?", type=Path)
    parser.add_argument("completed", nargs="?", type=Path)
    given = parser.parse_args()
    if given.project:
        write_json(FILE, measure(given.project, given.completed))
    write_text(PAGE, page(PAGE.read_text(encoding="utf-8"), read_json(FILE)))
