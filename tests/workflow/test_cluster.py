"""Jobs really run through the profile cluster-generic, from nothing."""

import pytest

from .conftest import copy_of_the_source

pytestmark = pytest.mark.xdist_group("kill")
TARGETS = ("data/labels/ravdess", "data/splits/speaker.parquet")  # a chain and a branch: enough to see that jobs are submitted in order


def test_jobs_through_cluster_generic(built, tmp_path):
    project = copy_of_the_source(tmp_path / "project")
    project.run("finser", "preset", "tiny")
    project.run("snakemake", "--profile", "workflow/profiles/cluster-generic", *TARGETS)
    stages = [f"{stage}@ravdess" for stage in ("augment", "fetch", "index", "label", "resample")] + ["split@speaker"]
    assert sorted(project.commands()) == sorted(stages)
    assert len(list((project.root / ".snakemake/cluster-generic").iterdir())) >= len(stages)  # each was a job of its own
    own, other = project.hashes(), built.hashes()
    assert own == {path: other[path] for path in own} and set(TARGETS) <= own.keys()
    dry = project.run("snakemake", "-n", *TARGETS)
    assert "Nothing to be done" in dry.stdout + dry.stderr
