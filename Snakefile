# One graph, two engines: dvc.yaml says what every stage is, DVC what is stale, Snakemake when and where it runs.
import sys
from pathlib import Path

sys.path[:0] = [str(Path(workflow.basedir) / "src"), str(Path(workflow.basedir) / "workflow")]

from cluster import check_at_the_end_of_a_dry_run, check_jobs, check_queue, poll_steadily, tell_reasons, wait_for_running
from pipeline import Pipeline, use_this_environment, validate

use_this_environment()
validate()
dvc = Pipeline(ancient, workflow.resource_settings.cores, config.get("partitions"), workflow)
if workflow.is_main_process:
    dvc.check_run()
    dvc.ask()
    dvc.clear_at_the_end(workflow)
    if dvc.partitions:
        check_at_the_end_of_a_dry_run(dvc)
        tell_reasons()
    if dvc.cores and dvc.cards:
        workflow.global_resources.setdefault("gpu", dvc.cards)
if dvc.cores is None or not workflow.is_main_process:
    workflow.global_resources.setdefault("slot", 1)


# On a cluster each group of jobs has one slot: its jobs run in turn, and it needs no more than its largest job.
resource_scopes:
    slot="local",


report: "workflow/report/workflow.rst"


localrules:
    all,


onstart:
    if dvc.partitions:
        check_jobs(dvc)
        check_queue()
        poll_steadily(workflow)
    wait_for_running()
    dvc.clear_strays()


rule all:
    default_target: True
    input:
        "results/report.md",


# A rule for every stage. Its shell line must not name `stage`: Snakemake reads it when a job runs, after the loop.
for stage in dvc.stages.values():

    rule:
        name:
            stage.name
        input:
            dvc.inputs(stage.name),
        output:
            dvc.outputs(stage.name),
        log:
            f"logs/{dvc.record(stage.name)}.log",
        benchmark:
            f"logs/benchmarks/{dvc.record(stage.name)}.tsv"
        wildcard_constraints:
            **dvc.wildcards(stage.name),
        priority: stage.priority
        group:
            dvc.group(stage.name)
        localrule: stage.local
        threads: dvc.threads(stage.name)
        resources:
            **dvc.resources(stage.name),
        params:
            job=dvc.address(stage.name),
        message:
            dvc.message(stage.name)
        shell:
            "FINSER_CORES={threads} PYTHONPATH=src${{PYTHONPATH:+:$PYTHONPATH}} python -m finser.project.claims {params.job} "
            "bash -c 'set -o pipefail; dvc --wait-for-lock repro --single-item {params.job} 2>&1 | tee {log}'"
