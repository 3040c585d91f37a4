"""`finser doctor` in a finished project: nothing is missing, nothing is written, and the estimate is the size of what was made."""

import re

import pytest

from finser.config.params import load
from finser.tools import disk


def test_a_finished_project_lacks_nothing(built, monkeypatch):
    before = built.run("git", "status", "--porcelain").stdout, disk.size_of(built.root)
    said = " ".join(built.run("finser", "doctor", env={"PYTHONDONTWRITEBYTECODE": "1"}).stdout.split())
    assert re.search(r"ok corpora ravdess: fetched \(synthetic\)", said) and "missing" not in said
    assert (built.run("git", "status", "--porcelain").stdout, disk.size_of(built.root)) == before
    monkeypatch.chdir(built.root)
    assert disk.needed(load()) == pytest.approx(disk.size_of(disk.layout.DATA), rel=0.05)
