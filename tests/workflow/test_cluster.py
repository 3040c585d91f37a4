"""The preset `tiny` really runs through the profile cluster-generic, from nothing."""

import json

import pytest

from .conftest import copy_of_the_source

pytestmark = pytest.mark.xdist_group("kill")


def test_tiny_through_cluster_generic(built, tmp_path):
    project = copy_of_the_source(tmp_path / "project")
    project.run("finser", "preset", "tiny")
    project.run("snakemake", "--profile", "workflow/profiles/cluster-generic", "results/report.md")
    assert sorted(project.commands()) == sorted(built.commands())
    assert len(list((project.root / ".snakemake/cluster-generic").iterdir())) >= len(built.commands())  # each was a job of its own
    own, other = project.hashes(), built.hashes()
    timed = ("models", "results")  # these record seconds
    assert {path: md5 for path, md5 in own.items() if not path.startswith(timed)} == {
        path: md5 for path, md5 in other.items() if not path.startswith(timed)
    }
    uar = "results/classifiers/svm/speaker/1/metrics.json"
    assert json.loads((project.root / uar).read_text())["uar"] == json.loads((built.root / uar).read_text())["uar"]
    project.assert_clean()
