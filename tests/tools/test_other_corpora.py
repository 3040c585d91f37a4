"""Scores of a bundle on corpora that it was not trained on, against scikit-learn on its predictions."""

import shutil
from pathlib import Path

import pytest
from sklearn.metrics import balanced_accuracy_score

from finser import layout
from finser.audio.frames import SR
from finser.audio.shards import read_audio
from finser.config.params import Params
from finser.config.sections.fetch import Synthetic
from finser.predict.predictor import LocalPredictor
from finser.tools.bundling import bundle
from finser.tools.other_corpora import scores_on_others

from ..predict.conftest import kept, project_of_bundles  # noqa: F401


@pytest.fixture
def both(kept: Params) -> Params:  # noqa: F811
    fetch = {"ravdess": Synthetic().model_dump(), "tess": Synthetic().model_dump()}
    return Params.model_validate({**kept.model_dump(), "corpora": ("ravdess", "tess"), "fetch": fetch})


def test_a_corpus_of_the_project_is_tested_on(project_of_bundles, with_tess, both, tmp_path, monkeypatch):  # noqa: F811
    shutil.copytree(project_of_bundles, tmp_path / "project")
    shutil.copytree(with_tess / "data", tmp_path / "project/data", dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path / "project")
    made = bundle(both, "svm", Path("new"))
    (found,) = made.others
    rows = [row for row in read_audio(layout.shards("tess")) if row.variant == "original"]
    predictor = LocalPredictor("new")
    predicted = [one.emotion for one in predictor.predict_all((row.audio, SR) for row in rows)]
    assert found.uar["value"] == pytest.approx(balanced_accuracy_score([row.emotion for row in rows], predicted))
    assert (found.name, found.clips, found.speakers, found.source) == ("tess", len(rows), len({row.speaker for row in rows}), "synthetic")
    assert "calm" not in found.classes and len(found.classes) == len(made.classes) - 1
    assert (found.uar["low"] is None) == (found.uar["value"] == 1), "without errors there is no interval"
    assert f"| {len(rows)} | {found.speakers} |" in Path("new/README.md").read_text()


def test_a_corpus_that_was_trained_on_or_is_not_made_yet_is_not(project_of_bundles, both, monkeypatch):  # noqa: F811
    monkeypatch.chdir(project_of_bundles)
    made = LocalPredictor("bundles/svm").bundle
    assert made.others == () and list(scores_on_others(both, made, Path("bundles/svm"))) == []
