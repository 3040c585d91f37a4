"""The graph that finser reads is DVC's own."""

import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo

from finser.config import presets
from finser.config.dump import dump
from finser.errors import FinserError
from finser.project.graph import LIBRARIES, Graph

PARAMETERS = """
corpora: [esd, tess]
protocols: [speaker, random]
folds: &folds [1, 2]
nested: {lists: {seeds: [0, 7]}}
base: &base {begin: data/raw/esd}
merged:
  one: {<<: *base}
  two: {<<: *base, begin: data/raw/tess}
numbers: {half: 1e-3, octal: 036, "true": true}
"""
STAGES = """
stages:
  fetch:
    matrix: {corpus: "${corpora}"}
    desc: Fetch ${item.corpus}
    meta: {step: corpora.fetch}
    cmd: finser fetch ${item.corpus}
    params: [numbers.half, {workflow/libraries.yaml: [numpy]}]
    outs: ["data/raw/${item.corpus}"]
  begin:
    foreach: ${merged}
    do:
      desc: Begin ${key}
      meta: {step: corpora.fetch, key: model}
      cmd: finser begin ${key}
      deps: ["${item.begin}", data/raw]
      outs: ["models/${key}"]
  train:
    matrix: {protocol: "${protocols}", fold: "${folds}", seed: "${nested.lists.seeds}", flag: [true, x]}
    desc: Train ${item.protocol}
    meta: {step: corpora.fetch}
    cmd: finser train ${item.protocol} ${item.fold} ${item.seed} ${item.flag}
    deps: [models, "data/raw/${corpora[0]}"]
    params: [base]
    outs:
      - models/trained/${item.protocol}/${item.fold}/${item.seed}/${item.flag}: {cache: true}
    metrics: ["results/${item.protocol}/${item.fold}/${item.seed}-${item.flag}.json"]
    plots:
      - results/${item.protocol}/${item.fold}/${item.seed}-${item.flag}.csv: {x: step}
"""


@pytest.fixture
def project(tmp_path, monkeypatch, copy_stages):
    """A folder with dvc.yaml in which both DVC and finser work."""
    monkeypatch.chdir(tmp_path)
    copy_stages(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")


def assert_same_as_dvc() -> int:
    """Compare every job's name, dependencies, parameters and outputs with those in DVC's index; return the number of jobs."""
    graph, found = Graph(), {}
    for name in graph.stages:
        for item in graph.items(name):
            job = graph.job(name, item)
            names = [set(graph.paths(name, item, "deps")), set(graph.outs(name, item)), set(graph.parameters(name, item))]
            found[graph.address(name, item)] = [job["cmd"], *names, set(graph.libraries(name))]
    expected = {}
    for stage in Repo().index.stages:
        followed = {dep.def_path: set(dep.params) for dep in stage.deps if hasattr(dep, "params")}
        deps = {dep.def_path for dep in stage.deps if not hasattr(dep, "params")}
        outs = {out.def_path for out in stage.outs}
        expected[stage.addressing] = [stage.cmd, deps, outs, followed.get("params.yaml", set()), followed.get(str(LIBRARIES), set())]
    assert found == expected
    return len(found)


@pytest.mark.parametrize("preset", ["demo", "tiny", "open", "paper"])
def test_every_preset_has_the_jobs_that_dvc_has(project, preset):
    Path("params.yaml").write_text(dump(presets.make(preset)))
    assert assert_same_as_dvc() > 20


def test_the_largest_preset_has_the_jobs_that_dvc_has(project):
    Path("params.yaml").write_text(dump(presets.make("ravdess")))
    assert assert_same_as_dvc() > 100


def test_nested_names_merge_keys_options_and_numbers_are_read_as_dvc_reads_them(project):
    Path("params.yaml").write_text(PARAMETERS)
    Path("dvc.yaml").write_text(STAGES)
    assert assert_same_as_dvc() == 2 + 2 + 16
    graph = Graph()
    assert graph.paths("begin", {"key": "two"}, "deps") == ["data/raw/tess", "data/raw"]
    assert graph.deps("begin", {"key": "two"}) == ["data/raw/tess", "data/raw/esd"]
    assert graph.parameters("fetch", {"corpus": "esd"}) == {"numbers.half": 0.001}
    item = dict(zip(graph.axes("train"), ("random", "2", "7", "true"), strict=True))
    assert graph.typed("train", item) == ["random", 2, 7, True]
    assert graph.address("train") == "train@{protocol}-{fold}-{seed}-{flag}"
    assert graph.outs("train")[1] == "results/{protocol}/{fold}/{seed}-{flag}.json"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"${corpora}"', '"${corpra}"', "dvc.yaml: .*'stages.fetch.matrix'.*Could not find 'corpra'"),
        ("models/${key}", "models/${kez}", "dvc.yaml: .*Could not find 'kez'"),
        ("cmd: finser fetch ${item.corpus}", "cmd: finser fetch ${item..corpus}", "dvc.yaml: .*stages.fetch.cmd"),
    ],
)
def test_what_dvc_cannot_fill_in_is_one_line(project, old, new, said):
    Path("params.yaml").write_text(PARAMETERS)
    Path("dvc.yaml").write_text(STAGES.replace(old, new))
    with pytest.raises(FinserError, match=said) as refused:
        graph = Graph()
        for name in graph.stages:
            for item in graph.items(name):
                graph.job(name, item)
    assert "\n" not in str(refused.value)


def test_descriptions_and_resources_make_nothing_stale(project):
    """dvc.lock after a run, and dvc.yaml with other words and other memory."""
    Path("params.yaml").write_text("n: 1\n")
    text = "stages: {copy: {desc: Copy, meta: {step: corpora.fetch}, cmd: cp params.yaml out.txt, params: [n], outs: [out.txt]}}\n"
    Path("dvc.yaml").write_text(text)
    with Repo() as repo:
        repo.reproduce()
        assert repo.status() == {}
    Path("dvc.yaml").write_text(text.replace("Copy", "Another word").replace("fetch}", "index, mem_mb: 5, gpu: true}"))
    with Repo() as repo:
        assert repo.status() == {}


def test_reading_dvcs_way_is_cheap():
    """A stage command reads the graph; what it imports for that is a small part of DVC."""
    code = "import sys, finser.project.graph; print('dvc.repo' in sys.modules, 'pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
