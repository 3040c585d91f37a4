# One graph, two engines: dvc.yaml says what every stage is, DVC what is stale, Snakemake when and where it runs.
import sys
from pathlib import Path

sys.path[:0] = [str(Path(workflow.basedir) / "src"), str(Path(workflow.basedir) / "workflow")]

from pipeline import Pipeline, use_this_environment, validate

use_this_environment()
validate()
dvc = Pipeline(ancient, workflow.resource_settings.cores)
if workflow.is_main_process:
    dvc.check_run()
    dvc.ask()
    dvc.clear_at_the_end(workflow)
    if dvc.cores and dvc.cards:
        workflow.global_resources.setdefault("gpu", dvc.cards)


report: "workflow/report/workflow.rst"


localrules:
    all,
    fetch,
    fetch_weights,


onstart:
    dvc.clear_strays()


rule all:
    default_target: True
    input:
        "results/report.md",


include: "workflow/rules/corpora.smk"
include: "workflow/rules/audio.smk"
include: "workflow/rules/fins.smk"
include: "workflow/rules/classifiers.smk"
include: "workflow/rules/report.smk"
