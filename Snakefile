# One graph, two engines: dvc.yaml says what every stage is, DVC what is stale, Snakemake when and where it runs.
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

from pipeline import Pipeline, use_this_environment, validate

use_this_environment()
validate()
dvc = Pipeline(ancient)
if workflow.is_main_process:
    dvc.ask()


wildcard_constraints:
    **dvc.wildcard_constraints(),


rule all:
    default_target: True
    input:
        "results/report.md",


include: "workflow/rules/corpora.smk"
include: "workflow/rules/audio.smk"
include: "workflow/rules/fins.smk"
include: "workflow/rules/classifiers.smk"
include: "workflow/rules/report.smk"
