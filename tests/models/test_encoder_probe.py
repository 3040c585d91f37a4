"""Probes: scikit-learn's own estimators, the layer and C with the best validation UAR, saved as plain arrays."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from finser.config.sections.classifiers import EncoderProbe
from finser.errors import FinserError
from finser.features.examples import Examples
from finser.files import write_json
from finser.models.encoder_inputs import ENCODER
from finser.models.encoder_probe import begin
from finser.models.logistic import Logistic

INIT = "models/weights/byol_s"
CLASSES = ("sad", "happy", "angry", "calm")


def examples(part: str, n: int, seed: int, good: int = 2) -> Examples:
    """Statistics of BYOL-S's shape, (5, 1536); layer `good` distinguishes the classes, the others hardly."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, len(CLASSES), n)
    centres = np.random.default_rng(0).normal(0, 1, (len(CLASSES), 1536))
    inputs = rng.normal(0, 3, (n, 5, 1536))
    inputs[:, good] += 1.5 * centres[targets]
    inputs[:, 4] += 0.3 * centres[targets]
    names = [f"c/{part}/{number}" for number in range(n)]
    return Examples(part, names, names, ["original"] * n, targets, list(inputs.astype(np.float16)), CLASSES)


@pytest.fixture
def given(tmp_path):
    write_json(tmp_path / ENCODER, {"family": "byol_s", "preprocessor": {}, "origin": {}})
    return tmp_path


@pytest.fixture
def parts():
    return SimpleNamespace(train=examples("train", 120, 1), validation=examples("validation", 60, 2), test=examples("test", 50, 3))


def columns(part: Examples, layer: int | str) -> np.ndarray:
    table = np.stack(part.inputs).astype(np.float32).astype(np.float64)
    return table.reshape(len(table), -1) if layer == "all" else table[:, layer]


def oracle(probe: str, c: float):
    """The estimator that a user of scikit-learn would write."""
    return make_pipeline(
        StandardScaler(), LogisticRegression(C=c, max_iter=10_000) if probe == "logistic" else SVC(C=c, gamma="scale", break_ties=True)
    )


@pytest.mark.parametrize("layer", ["all", 0, 2])
@pytest.mark.parametrize(("probe", "c"), [("logistic", 0.01), ("svm", 3.0)])
def test_predictions_are_scikit_learns(given, parts, probe, c, layer):
    classifier = begin(EncoderProbe(init=INIT, probe=probe, c=(c,), layer=layer), len(CLASSES), given)
    classifier.solve(parts.train, parts.validation)
    expected = oracle(probe, c).fit(columns(parts.train, layer), parts.train.targets)
    found = classifier.probabilities(parts.test.inputs)
    np.testing.assert_allclose(found.sum(1), 1)
    np.testing.assert_array_equal(found.argmax(1), expected.predict(columns(parts.test, layer)))
    if probe == "logistic":
        np.testing.assert_allclose(found, expected.predict_proba(columns(parts.test, layer)), atol=1e-6)


@pytest.mark.parametrize(("probe", "c"), [("logistic", (0.001, 0.1)), ("svm", (0.5, 5.0))])
def test_layer_and_c_have_the_best_validation_uar_of_all(given, parts, probe, c):
    classifier = begin(EncoderProbe(init=INIT, probe=probe, c=c), len(CLASSES), given)
    record = classifier.solve(parts.train, parts.validation)
    expected = {}
    for layer in range(5):
        for value in c:
            model = oracle(probe, value).fit(columns(parts.train, layer), parts.train.targets)
            predicted = model.predict(columns(parts.validation, layer))
            expected[layer, value] = recall_score(parts.validation.targets, predicted, average="macro")
    tried = {(one["layer"], one["c"]): one["validation_uar"] for one in classifier.found["tried"]}
    assert tried == pytest.approx(expected)
    best = max(expected.values())
    first = next(candidate for candidate in expected if expected[candidate] == pytest.approx(best))
    assert (classifier.found["layer"], classifier.found["c"]) == first and first[0] == 2
    assert record.history == [
        {"epoch": 1, "validation_uar": pytest.approx(best), "validation_wa": pytest.approx(record.history[0]["validation_wa"])}
    ]


@pytest.mark.parametrize("probe", ["logistic", "svm"])
def test_a_saved_probe_predicts_the_same(given, parts, tmp_path, probe):
    options = EncoderProbe(init=INIT, probe=probe, layer=2)
    classifier = begin(options, len(CLASSES), given)
    classifier.solve(parts.train, parts.validation)
    (tmp_path / "saved").mkdir()
    classifier.save(tmp_path / "saved")
    again = begin(options, len(CLASSES), tmp_path / "saved")
    again.restore(tmp_path / "saved")
    np.testing.assert_array_equal(again.probabilities(parts.test.inputs), classifier.probabilities(parts.test.inputs))
    assert again.n_params == classifier.n_params > 0


@pytest.mark.parametrize("probe", ["logistic", "svm"])
def test_a_config_with_fewer_classes_than_the_weights_is_refused(given, parts, tmp_path, probe):
    options = EncoderProbe(init=INIT, probe=probe, layer=2, c=(1.0,))
    classifier = begin(options, len(CLASSES), given)
    classifier.solve(parts.train, parts.validation)
    classifier.save(tmp_path)
    with pytest.raises(FinserError, match=r"model.safetensors: weights of a class that config.json lacks"):
        begin(options, len(CLASSES) - 1, tmp_path).restore(tmp_path)


def test_only_the_chosen_statistics_are_used(given, parts):
    """Of mean, sd and max, the last 512 numbers of a layer are the maxima."""
    classifier = begin(EncoderProbe(init=INIT, c=(0.01,), layer=2, statistics=("max",)), len(CLASSES), given)
    classifier.solve(parts.train, parts.validation)
    expected = oracle("logistic", 0.01).fit(columns(parts.train, 2)[:, 1024:], parts.train.targets)
    np.testing.assert_allclose(
        classifier.probabilities(parts.test.inputs), expected.predict_proba(columns(parts.test, 2)[:, 1024:]), atol=1e-6
    )


def test_two_classes_have_scikit_learns_probabilities():
    rng = np.random.default_rng(4)
    x, y = rng.normal(0, 1, (80, 6)), rng.integers(0, 2, 80)
    found = Logistic(4)
    found.fit(x + y[:, None], np.where(y, 3, 1), 0.5)
    expected = oracle("logistic", 0.5).fit(x + y[:, None], y).predict_proba(x)
    np.testing.assert_allclose(found.probabilities(x)[:, [1, 3]], expected, atol=1e-6)
    assert not found.probabilities(x)[:, [0, 2]].any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layer": 5}, "no such layer; expected 0 to 4; found 5"),
        ({"statistics": ("mean", "sd", "max"), "layer": "best", "c": (0.1, 0.2)}, "a layer or C cannot be chosen without validation clips"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(given, parts, options, said):
    with pytest.raises(FinserError, match=said) as caught:
        begin(EncoderProbe(init=INIT, **options), len(CLASSES), given).solve(parts.train, parts.train.at([]))
    assert "\n" not in str(caught.value)


def test_one_class_is_one_line(given, parts):
    single = parts.train.at(np.flatnonzero(parts.train.targets == 1).tolist())
    with pytest.raises(FinserError, match="needs two emotions or more"):
        begin(EncoderProbe(init=INIT, layer=1, c=(0.1,)), len(CLASSES), given).solve(single, parts.validation)


def test_a_statistic_that_is_not_stored_is_one_line(tmp_path):
    options = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "conv_dim": [16] * 7}
    write_json(tmp_path / ENCODER, {"family": "wav2vec2", "preprocessor": {"do_normalize": True}, **options})
    with pytest.raises(FinserError, match="a statistic that is not stored of this encoder; expected mean, sd; found max"):
        begin(EncoderProbe(init=INIT, statistics=("max",)), 4, tmp_path)
