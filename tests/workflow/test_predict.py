"""From a finished project to a bundle and a prediction, by the commands of docs/predict.md."""

import json
import re

from finser import layout


def test_a_model_is_kept_and_used(project):
    """DVC trains it and nothing else; Snakemake then only writes the report again, which counts the time of every training."""
    project.set("final", ["svm"])
    assert project.ran_by(lambda: project.dvc("repro", "train_final")) == ["train_final@svm"]
    dry = project.snakemake("-n")
    assert set(re.findall(r"^(\w+) +\d+$", dry.stdout + dry.stderr, re.MULTILINE)) == {"summarise", "report", "total"}
    said = project.run("finser", "bundle", "svm", "mine").stdout
    assert "mine: svm, 1 member" in said
    clip = next((project.root / layout.raw("ravdess")).rglob("*.wav"))
    found = json.loads(project.run("finser", "predict", "--bundle", "mine", "--format", "jsonl", str(clip)).stdout)
    assert found["path"] == str(clip) and abs(sum(found["probabilities"].values()) - 1) < 1e-9
