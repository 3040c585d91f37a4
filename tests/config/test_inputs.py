"""Files that params.yaml relies on: local.yaml and the file of folds."""

import sys
from pathlib import Path

import pytest

from finser.config.inputs import check_inputs
from finser.config.params import Params
from finser.config.sections.features import Features
from finser.config.sections.fetch import Local, Synthetic, Table
from finser.config.sections.split import OwnFolds, Split
from finser.errors import FinserError
from finser.files import checksum


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def params_of(split: Split | None = None, **fetch) -> Params:
    fetch = {"esd": Synthetic(), **fetch}
    return Params(corpora=tuple(fetch), pooled=tuple(fetch), fetch=fetch, split=split or Split())


@pytest.mark.parametrize(("name", "meant"), [("ravdes", "ravdess"), ("cremad", "crema_d")])
def test_a_mistyped_corpus_in_local_yaml_is_one_line(name, meant):
    Path("local.yaml").write_text(f"corpora: {{{name}: /x}}\n")
    with pytest.raises(FinserError, match=rf"local.yaml: corpora.{name} is no corpus of params.yaml; expected {meant}; rename it"):
        check_inputs(params_of(**{meant: Local()}))


@pytest.mark.parametrize(
    ("text", "fetch"),
    [
        ("corpora: {ravdess2: /x, ravdess: /y}", {"ravdess": Local()}),  # an own corpus of another preset
        ("corpora: {ravdess2: /x}", {"ravdess": Local(), "ravdess2": Table()}),
        ("corpora: {ravdes: /x}", {"ravdess": Synthetic()}),  # which needs no path
        ("corpora: {mine: /x}", {"ravdess": Local()}),
    ],
)
def test_own_corpora_in_local_yaml_are_accepted(text, fetch):
    Path("local.yaml").write_text(text)
    check_inputs(params_of(**fetch))


def test_another_file_of_folds_is_an_error_before_a_run():
    Path("folds.csv").write_text("speaker,fold\n")
    right = f"sha256:{checksum(Path('folds.csv'))}"
    check_inputs(params_of(Split(own=OwnFolds(file="folds.csv", checksum=right)), ravdess=Synthetic()))
    wrong = OwnFolds(file="folds.csv", checksum=f"sha256:{'0' * 64}")
    with pytest.raises(FinserError, match=f"folds.csv: another file of folds; expected sha256:0+; found {right}; write this checksum"):
        check_inputs(params_of(Split(own=wrong), ravdess=Synthetic()))


def test_opensmile_is_needed_by_its_representations_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    params = params_of()
    check_inputs(params)
    for name in ("egemaps", "compare_2016"):
        asked = params.model_copy(update={"features": Features(representations=("statistics", name))})
        with pytest.raises(FinserError, match=r'^the package opensmile, .* not installed; pip install "finser\[opensmile\]"; its licence'):
            check_inputs(asked)
