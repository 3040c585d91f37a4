"""What DVC does not see in params.yaml: that finser has no parameter there (docs/architecture.md, "What DVC does not see")."""

import contextlib
import functools
import itertools
import operator
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from dvc.stage import cache
from dvc.utils.serialize import dumps_yaml, loads_yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from finser.config import presets
from finser.config.base import UNSEEN_BY_DVC, Section
from finser.config.dump import dump, resolved
from finser.config.params import Params, validate
from finser.config.sections.classifiers import Ast
from finser.errors import FinserError

ROOT = Path(__file__).parents[2]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
BODIES = {name: stage.get("do", stage) for name, stage in STAGES.items()}
WRITE = "import pathlib, ruamel.yaml; p = ruamel.yaml.YAML(typ='safe').load(open('params.yaml')); pathlib.Path('out').write_text(repr(p))"


def sections() -> list[type[BaseModel]]:
    """Every section that params.yaml may hold."""
    waiting, found = [Section], []
    while waiting:
        found.append(waiting.pop())
        waiting += found[-1].__subclasses__()
    return found[1:]


def left_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that DVC's run cache leaves out, as it passes them on."""
    seen = []
    monkeypatch.setattr(cache, "dict_sha256", lambda values, exclude=(): seen.extend(exclude))
    cache._get_cache_hash({"cmd": "x"})
    return seen


def test_the_names_that_dvc_leaves_out_are_known(monkeypatch):
    assert sorted(left_out(monkeypatch)) == sorted(UNSEEN_BY_DVC), "DVC leaves out other names: refuse them, and rename ours"


def test_no_key_of_the_schema_is_left_out_by_the_run_cache():
    """By DVC's own function: wherever a key stands, a changed value gives another key of the run cache."""
    names = {name for section in sections() for name in section.model_fields}
    assert {"learning_rate", "crop_frames"} <= names
    for name in sorted(names):
        one, two = ({"cmd": "x", "params": {"params.yaml": {"a.b": {"c": [{name: value}]}}}} for value in (1, 2))
        assert cache._get_cache_hash(one) != cache._get_cache_hash(two), f"DVC does not look at a parameter called {name}"
        top = [cache._get_cache_hash({"cmd": "x", "params": {"params.yaml": {name: value}}}) for value in (1, 2)]
        assert top[0] != top[1], name


@pytest.mark.parametrize("name", UNSEEN_BY_DVC)
@pytest.mark.parametrize("section", ["train_classifier", "fine_tune", "fuse_classifiers", "fetch_weights"])
def test_a_section_may_not_have_a_name_that_dvc_leaves_out(section, name):
    values = loads_yaml(dump(presets.demo()))
    node = values
    for part in section.split("."):
        node = node[part]
    node[name] = next(iter(node.values()), {})
    with pytest.raises(FinserError) as caught:
        validate(values)
    assert f"{section}.{name}: '{name}' is a name that DVC's run cache does not look at" in str(caught.value)


def project(folder: Path, values: dict, *tracked: str) -> Path:
    """A folder with DVC and one stage that writes what it reads; `tracked` are its params."""
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], cwd=folder, check=True)
    stage = {"cmd": f'{sys.executable} -c "{WRITE}"', "deps": ["dep"], "params": list(tracked), "outs": ["out"]}
    (folder / "dep").write_text("1")
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"one": stage}}))
    (folder / "params.yaml").write_text(dumps_yaml(values))
    return folder


def run(folder: Path, values: dict) -> str:
    """What the stage has written once DVC calls it up to date with these values."""
    (folder / "params.yaml").write_text(dumps_yaml(values))
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=folder, check=True)
    return (folder / "out").read_text()


def test_the_size_of_an_ast_is_seen_by_the_run_cache(tmp_path):
    """Case 1: changed twice with something else between, the second result may not be the first one's."""
    nano, base = ({"train_classifier": {"ast": options.model_dump(mode="json")}} for options in map(sized, ("nano", "base")))
    folder = project(tmp_path, nano, "train_classifier.ast")
    assert "nano" in run(folder, nano)
    assert "base" in run(folder, base)


def sized(size: str) -> Ast:
    return Ast(**{next(name for name in Ast.model_fields if name.endswith("size") and "batch" not in name): size})


def test_a_removed_key_and_the_order_of_a_list_are_seen(tmp_path):
    """finser's optional keys stand in sections that are followed whole: to leave one out is a change."""
    folder = project(tmp_path, {"a": {"b": [1, 2], "c": 1}}, "a")
    for values in ({"a": {"b": [1, 2], "c": 1}}, {"a": {"b": [1, 2]}}, {"a": {"b": [2, 1]}}):
        assert run(folder, values) == repr(values)


def optional(section: type[BaseModel], above: str = "") -> Iterator[str]:
    """Keys of a section, however deep, that a file may leave out: without them, their value is None."""
    for name, field in section.model_fields.items():
        if not field.is_required() and field.default is None:
            yield above + name
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from optional(field.annotation, f"{above}{name}.")


def entries() -> list[str | dict]:
    return list(itertools.chain.from_iterable(body.get("params", []) for body in BODIES.values()))


def followed() -> set[str]:
    """Keys of params.yaml; keys of other files are under the file's name."""
    return {entry for entry in entries() if isinstance(entry, str)}


def test_the_only_other_file_of_parameters_has_names_without_patterns():
    others = [entry for entry in entries() if isinstance(entry, dict)]
    assert {file for entry in others for file in entry} == {"workflow/libraries.yaml"}
    without = {name for name, body in BODIES.items() if not any(isinstance(entry, dict) for entry in body.get("params", []))}
    assert without == {"pool", "prepare_pretraining", "train_classifier"}, "checksums; models/initial has its libraries"
    assert all(re.fullmatch(r"[a-z][a-z-]*", name) for entry in others for name in entry["workflow/libraries.yaml"])


def test_keys_that_may_be_left_out_are_followed_with_their_whole_section():
    """A key that a stage follows by its own name must be required, so that it cannot vanish unseen."""
    left_out = set(optional(Params))
    assert "pretrain.corpora" in left_out
    assert not followed() & left_out


def test_what_stages_follow_is_there_under_that_name():
    """Every `params:` entry is a required key of the schema, reached without the wildcards and numbers that dpath reads in names."""
    values = loads_yaml(dump(presets.demo()))
    for entry in followed():
        node: object = values
        for part in re.sub(r"\$\{[^}]*\}", "*", entry).split("."):
            node = next(iter(node.values()), {}) if part == "*" else node[part]
    for name in ("a.b", "a*", "[ab]", "a?", "1", "a-b", "a/b", "${a}", "A", ""):
        values["fuse_classifiers"] = {name: {"members": ["svm"], "method": "mean"}}
        with pytest.raises(FinserError, match=r"fuse_classifiers\."):
            validate(values)


def test_templates_take_only_what_is_seen_as_command_path_or_param():
    """No `vars`; ${...} is an axis of the matrix or of `foreach`, and each of them is part of the command, of which DVC keeps track."""
    lines = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    assert set(lines) == {"stages"}
    for name, body in BODIES.items():
        axes = [f"item.{axis}" for axis in STAGES[name].get("matrix", {})] or (["key"] if "foreach" in STAGES[name] else [])
        assert re.findall(r"\$\{(.*?)\}", body["cmd"]) == axes
        used = set(re.findall(r"\$\{(.*?)\}", str({key: body[key] for key in body if key != "matrix"})))
        paths = {"item.begin", "item.init", "item.model"}  # fields of a foreach entry: among the deps
        assert used <= {*axes, *paths}
        inside = str(body["deps"])
        assert all(f"${{{path}}}" in inside for path in used & paths - set(axes))


def leaves(node: object, *above: str | int) -> Iterator[tuple]:
    """Paths of all values, those in lists, too."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield from leaves(value, *above, key)
    if not isinstance(node, dict | list):
        yield above


def test_values_that_python_calls_equal_are_one_value_to_finser_too():
    """DVC compares params as Python does: 1 == 1.0 == True. The schema takes one of them, or 1 and 1.0 as the same float."""
    text, tried = resolved(presets.demo()), 0
    for *above, last in leaves(loads_yaml(text)):
        values = loads_yaml(text)
        node = functools.reduce(operator.getitem, above, values)
        value = node[last]
        if isinstance(value, str) or value != int(value):
            continue
        for other in [kind(value) for kind in (int, float, bool) if kind(value) == value and kind is not type(value)]:
            node[last], tried = other, tried + 1
            with contextlib.suppress(FinserError):
                assert repr(validate(values)) == repr(presets.demo()), (*above, last)
                assert not isinstance(other, bool) and not isinstance(value, bool), (*above, last)
    assert tried > 100


@settings(deadline=None, max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_which_dvc_ignores_means_nothing(rng):
    values = loads_yaml(dump(presets.demo()))

    def shuffled(node: object) -> object:
        if not isinstance(node, dict):
            return node
        return {key: shuffled(node[key]) for key in rng.sample(list(node), len(node))}

    assert validate(shuffled(values)) == presets.demo()


SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("0123456789.e+-_yesnoEx", max_size=6),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text("abc", min_size=1, max_size=2), SCALARS, max_size=3))


@settings(deadline=None, max_examples=200)
@given(VALUES)
def test_dvc_lock_keeps_values_with_their_types(value):
    """Written to dvc.lock and read again, a value is itself: text that looks like a number stays text, and a float keeps its digits."""
    again = loads_yaml(dumps_yaml({"a": value}))
    assert repr(again) == repr({"a": value})
