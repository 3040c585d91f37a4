"""The table of stages: what dvc.yaml may say of one, and what is refused in one line."""

import re
from pathlib import Path

import pytest

from finser.errors import FinserError
from finser.project.stages import table

ROOT = Path(__file__).parents[2]


def entry(**changes) -> dict:
    body = {"matrix": {"corpus": "${corpora}"}, "desc": "Label ${item.corpus}", "meta": {"step": "features.labels"}, "cmd": "finser label"}
    return {"stages": {"label": {**body, **changes}}}


def test_a_stage_has_the_defaults_of_a_small_job():
    (stage,) = table(entry()).values()
    assert (stage.name, stage.summary, stage.axes) == ("label", "Label CORPUS", {"corpus": "one of corpora in params.yaml"})
    assert (stage.per_clip, stage.mem_mb, stage.runtime, stage.gpu, stage.priority, stage.local) == (False, 2000, 30, False, 0, False)
    assert stage.function().__module__ == "finser.features.labels"


def test_the_key_of_a_foreach_stage_has_the_name_that_meta_gives_it():
    body = {"desc": "Train ${key}", "meta": {"step": "fins.training", "key": "feature", "gpu": True}, "cmd": "finser train_fin ${key}"}
    (stage,) = table({"stages": {"train_fin": {"foreach": {"mel": {}, "rms": {}}, "do": body}}}).values()
    assert (stage.axes, stage.wildcards, stage.summary) == ({"feature": "one of mel, rms"}, ("key",), "Train FEATURE")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"meta": {"step": "features.labels", "memmb": 1}}, "unknown key 'meta.memmb'; expected one of step, key.*did you mean 'mem_mb'?"),
        ({"meta": {"step": "features.labels", "mem_mb": "1000"}}, "meta.mem_mb; expected a value of type int; found 1000"),
        ({"meta": {"step": "features.labels", "gpu": 1}}, "meta.gpu; expected a value of type bool; found 1"),
        ({"meta": {"runtime": 5}}, "no meta.step; expected the module of its function"),
        ({"meta": None}, "no meta; expected desc: WHAT IT DOES"),
        ({"desc": ""}, "no desc; expected desc: WHAT IT DOES"),
        ({"wdir": "src"}, "'wdir' is not supported"),
        ({"vars": [{"a": 1}]}, "'vars' is not supported"),
        ({"frozen": True}, "'frozen' is not supported"),
        ({"always_changed": True}, "'always_changed' is not supported"),
    ],
)
def test_a_fault_is_one_line(changes, said):
    with pytest.raises(FinserError, match=rf"^dvc\.yaml: stage label: {said}") as refused:
        table(entry(**changes))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("key", ["vars", "params", "artifacts"])
def test_dvc_yaml_holds_stages_alone(key):
    with pytest.raises(FinserError, match=rf"dvc\.yaml: '{key}' is not supported; expected stages alone"):
        table({**entry(), key: []})


def test_the_emotions_concern_no_data_and_no_fin(monkeypatch):
    from finser.project import reruns

    monkeypatch.chdir(ROOT)
    (line,) = [line for line in reruns.markdown().splitlines() if line.startswith("| `emotions` |")]
    first, then = (set(re.findall(r"`(\w+)`", cell)) for cell in line.split("|")[2:4])
    classifiers = {"prepare_classifier", "prepare_fine_tuning", "evaluate_classifier", "fuse_classifiers"}
    assert first == {"split", "noisy", "summarise"} | classifiers
    assert then == {"pretrain", "train_classifier", "train_final", "report"}


def test_a_step_that_is_not_there_is_one_line():
    (stage,) = table(entry(meta={"step": "features.lables"})).values()
    with pytest.raises(FinserError, match=r"dvc\.yaml: stage label: no function 'label' in finser\.features\.lables"):
        stage.function()


def test_the_table_in_the_docs_is_that_of_dvc_yaml(monkeypatch):
    from finser.project import reruns
    from finser.project.stage_docs import BEGIN, END, markdown

    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs/architecture.md").read_text()
    assert page.partition(BEGIN)[2].partition(END)[0] == f"\n{markdown()}", "run: finser schema"
    assert page.partition(reruns.BEGIN)[2].partition(reruns.END)[0] == f"\n{reruns.markdown()}", "run: finser schema"
