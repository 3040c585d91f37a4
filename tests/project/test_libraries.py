"""A stage runs with the versions of libraries that DVC records with its results, or not at all."""

from importlib.metadata import version
from pathlib import Path

import pytest

from finser.config import presets
from finser.config.dump import dump
from finser.errors import FinserError
from finser.project import libraries
from finser.project.graph import LIBRARIES, Graph


@pytest.fixture
def graph(tmp_path, monkeypatch, copy_stages):
    monkeypatch.chdir(tmp_path)
    copy_stages(tmp_path)
    Path("params.yaml").write_text(dump(presets.make("tiny")))
    return Graph()


def rewrite(old: str, new: str) -> None:
    text = LIBRARIES.read_text()
    assert old in text
    LIBRARIES.write_text(text.replace(old, new))


def test_what_is_installed_is_what_is_recorded(graph):
    libraries.check(graph, *graph.stages)
    assert graph.libraries("split") == {name: version(name) for name in ("numpy", "pyarrow")}


def test_another_version_is_refused_by_the_stages_that_use_it(graph):
    rewrite(version("librosa"), "0.1")
    said = rf"librosa {version('librosa')} is installed; expected librosa 0\.1; make environment"
    with pytest.raises(FinserError, match=said) as refused:
        libraries.check(graph, "label")
    assert "\n" not in str(refused.value)
    libraries.check(graph, "split", "augment")


def test_a_build_for_cuda_is_of_the_same_version(monkeypatch):
    monkeypatch.setattr(libraries, "version", lambda name: "2.13.0+cu130")
    assert libraries.installed("torch") == "2.13.0"


def test_a_library_that_is_not_installed_is_left_to_its_user(graph, monkeypatch):
    real = libraries.version

    def missing(name: str) -> str:
        if name == "python-stretch":
            raise libraries.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(libraries, "version", missing)
    libraries.check(graph, "augment")


@pytest.mark.parametrize("line", ["", "librosa: 0.11"])
def test_a_version_that_is_no_text_is_refused(graph, line):
    rewrite(f'librosa: "{version("librosa")}"', line)
    with pytest.raises(FinserError, match="no version of librosa; expected a line such as librosa:"):
        libraries.check(graph, "label")
