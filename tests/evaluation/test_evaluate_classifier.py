"""Evaluation over several seeds, against scikit-learn and scipy; temperatures know nothing of the test part."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.optimize import minimize_scalar
from sklearn.metrics import accuracy_score, f1_score, log_loss, recall_score

from finser import layout
from finser.config.params import Params
from finser.emotions import EMOTIONS
from finser.evaluation.judged import Judged, calibration_of, figures_of_merit
from finser.features.examples import Examples
from finser.files import read_json
from finser.models import load
from finser.scores.intervals import estimates, per_speaker

SEEDS = (5, 0)


def predictions(name: str) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Per seed, the true class numbers and the probabilities, as written."""
    table = pq.read_table(layout.classifier_result("mlp", "speaker", 1) / f"{name}.parquet").to_pydict()
    seeds, truth = np.array(table["seed"]), np.array([EMOTIONS.index(emotion) for emotion in table["emotion"]])
    shares = np.column_stack([table[f"p_{emotion}"] for emotion in EMOTIONS])
    return {seed: (truth[seeds == seed], shares[seeds == seed]) for seed in dict.fromkeys(table["seed"])}


@pytest.fixture
def figures(project, params, altered, run) -> dict:
    """Of a bad classifier, with two seeds: one epoch on originals."""
    values = altered("mlp", epochs=1, variants=("original",)).model_dump()
    return run(Params.model_validate({**values, "seeds": SEEDS}), "mlp")


def test_figures_are_means_over_the_seeds_of_scikit_learns(figures):
    found = predictions("predictions")
    assert tuple(found) == SEEDS and figures["seeds"] == list(SEEDS) and len(figures["epochs"]) == 2
    truth, guesses = found[0][0], {seed: shares.argmax(1) for seed, (_, shares) in found.items()}
    recalls = [recall_score(truth, guesses[seed], average="macro") for seed in SEEDS]
    right = [accuracy_score(truth, guesses[seed]) for seed in SEEDS]
    f1 = [f1_score(truth, guesses[seed], average="macro", labels=range(8), zero_division=0) for seed in SEEDS]
    assert figures["uar_seeds"] == pytest.approx(recalls) and figures["wa_seeds"] == pytest.approx(right) and recalls[0] != recalls[1]
    for name, values in (("uar", recalls), ("wa", right), ("f1_macro", f1)):
        assert figures[name] == pytest.approx(np.mean(values))
    for seed in SEEDS:
        classifier, config = load(layout.classifier("mlp", "speaker", 1, seed))
        assert config["seed"] == seed and classifier.n_params == figures["params"]


def test_calibration_is_the_mean_over_seeds_of_temperatures_from_validation(figures):
    validation, test = predictions("validation"), predictions("predictions")
    temperatures, losses, scaled = [], [], []
    for seed in SEEDS:
        truth, shares = validation[seed]

        def loss(log_t: float, truth=truth, shares=shares) -> float:
            return log_loss(truth, softmax(np.log(shares) / np.exp(log_t)), labels=range(8))

        temperatures.append(np.exp(minimize_scalar(loss, bounds=np.log([0.05, 20]), method="bounded").x))
        truth, shares = test[seed]
        losses.append(log_loss(truth, shares, labels=range(8)))
        scaled.append(log_loss(truth, softmax(np.log(shares) / temperatures[-1]), labels=range(8)))
    assert figures["temperature"] == pytest.approx(np.mean(temperatures), rel=1e-3)
    assert figures["temperature_seeds"] == pytest.approx(temperatures, rel=1e-3)
    assert figures["nll"] == pytest.approx(np.mean(losses), rel=1e-6)
    assert figures["nll_scaled"] == pytest.approx(np.mean(scaled), rel=1e-4)
    assert 0 <= figures["ece_scaled"] <= 1 and 0 <= figures["ece"] <= 1


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


def judged(part: str, seed: int, n: int = 120, seeds: int = 3) -> Judged:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 8, n)
    logits = rng.normal(size=(seeds, n, 8)) * 3 + 2 * np.eye(8)[targets]
    names = [f"c/{number % 6}" for number in range(n)]
    examples = Examples(part, [f"c/{k}" for k in range(n)], names, ["original"] * n, targets, [None] * n, EMOTIONS)
    return Judged(examples, np.stack([softmax(one) for one in logits]))


def test_nothing_of_the_test_part_changes_the_temperature():
    validation, test = judged("validation", 0), judged("test", 1)
    first = calibration_of(validation, test)
    others = [replace(test, probabilities=test.probabilities[:, ::-1]), judged("test", 2, n=7)]
    assert all(calibration_of(validation, other)["temperature"] == first["temperature"] for other in others)
    assert calibration_of(judged("validation", 3), test)["temperature"] != first["temperature"]
    assert first["temperature"] > 1.1 and first["nll_scaled"] < first["nll"], "these are too sure"


def test_figures_and_intervals_are_those_of_the_jackknife():
    test = judged("test", 0)
    figures = figures_of_merit(test, 0.95)
    counts = per_speaker(test.examples.targets, test.predicted, np.array(test.examples.speakers), 8)
    for name, one in estimates(counts, 0.95).items():
        assert (figures[name], figures[f"{name}_ci_low"], figures[f"{name}_ci_high"]) == (one.value, one.low, one.high)
    assert figures["interval_corpora"] == ["c"] and figures["uar"] == pytest.approx(np.mean(figures["uar_seeds"]))
    alone = replace(test, examples=replace(test.examples, speakers=["c/0"] * len(test.examples)))
    figures = figures_of_merit(alone, 0.95)
    assert figures["uar_ci_low"] is None and figures["interval_corpora"] == [] and 0 < figures["uar"] < 1


def test_time_is_kept_apart_from_the_figures(figures):
    assert read_json(layout.evaluation_time("mlp", "speaker", 1))["ms_per_clip"] > 0
    assert "ms_per_clip" not in figures


def test_an_emotion_that_training_never_heard_does_not_set_the_temperature():
    """An SVM gives it probability 0; a tenth of the validation clips has it. All other clips decide, and none of them loses."""
    whole = judged("validation", 4, n=400, seeds=1)
    targets = np.where(np.arange(400) < 40, 7, np.minimum(whole.examples.targets, 6))
    logits = np.random.default_rng(0).normal(size=(400, 7)) + 2 * np.eye(8)[targets][:, :7]
    probabilities = np.concatenate([softmax(2 * logits), np.zeros((400, 1))], axis=1)
    svm = Judged(replace(whole.examples, targets=targets), probabilities[None])
    known = Judged(replace(whole.examples, targets=targets[40:]), probabilities[None, 40:])
    figures = calibration_of(svm, known)
    assert figures == calibration_of(known, known)
    assert figures["nll_scaled"] <= figures["nll"] and figures["temperature"] == pytest.approx(1, abs=0.1), "it is calibrated"


def test_an_emotion_that_training_never_heard_has_a_temperature_all_the_same():
    """The SVM gives it probability 0, and validation or test may hold it."""
    targets = np.array([0, 1, 2, 7])
    examples = Examples("validation", list("abcd"), ["s"] * 4, ["original"] * 4, targets, [], EMOTIONS)
    probabilities = np.zeros((1, 4, 8))
    probabilities[0, :, :3] = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.4, 0.3, 0.3]]
    judged = Judged(examples, probabilities)
    assert all(np.isfinite(value) for value in calibration_of(judged, judged).values())
