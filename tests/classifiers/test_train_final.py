"""Training on all speakers."""

import csv

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from finser import layout
from finser.audio.shards import read_audio
from finser.classifiers.train_final import as_trained, cross_validated_epochs, settled, train_final
from finser.config.params import Params
from finser.config.sections.classifiers import KINDS, EncoderProbe
from finser.emotions import EMOTIONS
from finser.features import store
from finser.features.labels import features
from finser.features.rows import Row
from finser.features.statistics import summary_statistics
from finser.files import read_json, write_json
from finser.models import load


def tree(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def kept(params) -> Params:
    kinds = tuple(KINDS)
    return Params.model_validate({**params.model_dump(), "protocols": ("speaker",), "folds": (1,), "final": kinds, "models": kinds})


def test_an_svm_is_scikit_learns_of_all_clips(finished, kept):
    train_final(kept, "svm")
    classifier, config = load(layout.final("svm"))
    rows = [row for row in read_audio(layout.shards("ravdess")) if row.variant == "original"]
    x = np.stack([summary_statistics(Row(row.clip_id, "original", None, features(row.audio))) for row in rows])
    oracle = make_pipeline(StandardScaler(), SVC(C=kept.classifiers["svm"].c, gamma="scale", break_ties=True))
    oracle.fit(x.astype(np.float64), [EMOTIONS.index(row.emotion) for row in rows])
    np.testing.assert_allclose(classifier.decision_function(x), oracle.decision_function(x.astype(np.float64)), atol=1e-9)
    assert config["n_train"] == len(rows) and len(config["train_speakers"]) == 10


def test_a_probe_is_scikit_learns_of_all_clips_with_the_layer_and_c_of_cross_validation(finished, kept):
    path = layout.classifier("encoder_probe", "speaker", 1, 0) / "config.json"
    config = read_json(path)
    config["found"]["tried"] = [{"layer": 1, "c": 0.1, "validation_uar": 0.8}, {"layer": 3, "c": 0.01, "validation_uar": 0.9}]
    write_json(path, config)
    train_final(kept, "encoder_probe")
    classifier, config = load(layout.final("encoder_probe"))
    assert (config["options"]["layer"], config["options"]["c"]) == (3, [0.01]) and config["found"]["layer"] == 3
    rows = list(store.read(layout.features("byol_s", "ravdess")))
    inputs = [row.values for row in rows]
    x = np.stack(inputs)[:, 3].astype(np.float32).astype(np.float64)
    oracle = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=10_000))
    oracle.fit(x, [EMOTIONS.index(row.emotion) for row in rows])
    np.testing.assert_allclose(classifier.probabilities(inputs), oracle.predict_proba(x), atol=1e-6)
    assert config["n_train"] == len(rows) and len(config["train_speakers"]) == 10


def test_a_probe_has_the_layer_and_c_of_the_best_mean_over_the_folds(kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = kept.model_copy(update={"folds": (1, 2)})
    for fold, uars in ((1, (0.9, 0.8)), (2, (0.5, 0.8))):
        tried = [{"layer": layer, "c": 0.01, "validation_uar": uar} for layer, uar in zip((1, 3), uars, strict=True)]
        write_json(layout.classifier("encoder_probe", "speaker", fold, 0) / "config.json", {"found": {"tried": tried}})
    found = settled(params, "encoder_probe", "speaker")
    assert (found.layer, found.c) == (3, (0.01,))


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        ({}, True),
        ({"layer": 3}, True),
        ({"layer": 2}, False),
        ({"layer": "all"}, False),
        ({"c": (0.01, 1.0)}, True),
        ({"c": (1.0,)}, False),
        ({"probe": "svm"}, False),
    ],
)
def test_a_layer_or_c_that_is_no_longer_tried_is_not_that_of_the_trained_probe(asked, same):
    init = "models/weights/byol_s"
    trained = EncoderProbe(init=init, layer=3, c=(0.01,)).model_dump(mode="json")
    found = as_trained(EncoderProbe(init=init, **asked), trained).model_dump(mode="json")
    assert (found == trained) is same


@pytest.mark.parametrize("model", ["small_cnn", "fin_ensemble", "mlp", "encoder", "encoder_tuned"])
def test_a_network_is_trained_on_all_speakers_for_the_epochs_of_cross_validation(finished, kept, model):
    train_final(kept, model)
    config = read_json(layout.final(model) / "config.json")
    epochs = cross_validated_epochs(kept, model, "speaker")
    with (layout.final(model) / "history.csv").open(newline="") as file:
        history = list(csv.DictReader(file))
    assert len(history) == config["epochs"] == epochs and all(row["validation_uar"] == "" for row in history)
    assert len(config["train_speakers"]) == 10 and config["n_train"] == 160 * len(kept.classifiers[model].variants)
    assert not layout.checkpoint("train_final", model).exists()


def test_the_same_bytes_again(finished, kept):
    train_final(kept, "small_cnn")
    first = tree(layout.final("small_cnn"))
    train_final(kept, "small_cnn")
    assert tree(layout.final("small_cnn")) == first


def test_epochs_are_the_mean_of_those_that_were_kept(finished, kept, altered):
    """Under `best`, the epoch with the best validation UAR, of equal ones the first."""
    best = Params.model_validate({**altered("small_cnn", keep="best").model_dump(), "protocols": ("speaker",), "folds": (1,)})
    path = layout.classifier("small_cnn", "speaker", 1, 0) / "history.csv"
    with path.open(newline="") as file:
        scores = [float(row["validation_uar"]) for row in csv.DictReader(file)]
    assert cross_validated_epochs(best, "small_cnn", "speaker") == 1 + scores.index(max(scores))
    assert cross_validated_epochs(kept, "small_cnn", "speaker") == len(scores)
