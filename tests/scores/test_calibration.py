"""Calibration against scikit-learn, loops over clips and closed forms."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn import metrics as sk

from finser.scores import calibration
from finser.scores.calibration import (
    FLOOR,
    as_probabilities,
    expected_calibration_error,
    nll,
    reliability,
    rescale,
    temperature,
    temperature_of,
)

SEEDS = st.integers(0, 10**6)


def sample(seed: int, n: int = 200, n_classes: int = 4, sharpness: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, n_classes) and a truth drawn from their softmax: perfectly calibrated."""
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.standard_normal((n, n_classes))
    truth = (rng.random((n, 1)) > np.cumsum(softmax(logits, axis=1), axis=1)[:, :-1]).sum(1)
    return logits, truth


@settings(deadline=None)
@given(SEEDS, st.integers(1, 40), st.integers(3, 8), st.floats(0, 30))
def test_scores_equal_scikit_learn(seed, n, n_classes, sharpness):
    logits, truth = sample(seed, n, n_classes, sharpness)
    probabilities, labels = softmax(logits, axis=1), range(n_classes)
    assert nll(probabilities, truth) == pytest.approx(sk.log_loss(truth, probabilities, labels=labels), abs=1e-9)


def test_scores_of_certainty():
    certain = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert nll(certain, [0, 1]) == 0
    assert nll(certain, [1, 0]) == pytest.approx(-np.log(FLOOR)) == pytest.approx(52 * np.log(2))
    assert nll(np.full((3, 8), 1 / 8), [0, 5, 7]) == pytest.approx(np.log(8))


@settings(deadline=None)
@given(SEEDS, st.integers(1, 60), st.integers(1, 20), st.booleans())
def test_reliability_equals_a_loop_over_bins_and_clips(seed, n, bins, on_the_edges):
    logits, truth = sample(seed, n)
    probabilities = softmax(logits, axis=1)
    if on_the_edges:  # confidences k / bins, as of a vote
        probabilities = np.random.default_rng(seed).multinomial(bins, probabilities) / bins
    found = reliability(probabilities, truth, bins)
    ece = 0.0
    for b in range(bins):
        clips = [i for i in range(n) if b / bins < max(probabilities[i]) <= (b + 1) / bins]
        assert found.count[b] == len(clips)
        confidence = np.mean([max(probabilities[i]) for i in clips]) if clips else np.nan
        accuracy = np.mean([list(probabilities[i]).index(max(probabilities[i])) == truth[i] for i in clips]) if clips else np.nan
        assert (found.confidence[b], found.accuracy[b]) == pytest.approx((confidence, accuracy), nan_ok=True)
        ece += len(clips) / n * abs(accuracy - confidence) if clips else 0
    assert expected_calibration_error(probabilities, truth, bins) == pytest.approx(ece, abs=1e-12)


def test_ece_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.4, 0.6]])
    # bins of a fifth: (.8, 1] holds two of confidence .9, one right; (.6, .8] one of .7, right; (.4, .6] one of .6, wrong
    assert expected_calibration_error(probabilities, [0, 1, 1, 0], bins=5) == pytest.approx((2 * 0.4 + 0.3 + 0.6) / 4)


def test_ece_of_many_calibrated_clips_is_small_and_grows_with_overconfidence():
    logits, truth = sample(0, n=20_000)
    calibrated, sure = (expected_calibration_error(softmax(factor * logits, axis=1), truth) for factor in (1, 3))
    assert calibrated < 0.015
    assert sure > 0.1


def test_float32_probabilities_just_above_1_are_of_the_last_bin():
    assert reliability(np.array([[1 + 1e-6, 0.0]]), [0], 10).count.tolist() == [0] * 9 + [1]


@settings(deadline=None)
@given(SEEDS, st.floats(0.3, 3))
def test_temperature_scales_with_the_logits(seed, k):
    logits, truth = sample(seed)
    once = temperature(logits, truth)
    assume(0.2 < once < 5)
    assert temperature(k * logits, truth) == pytest.approx(k * once, rel=1e-5)
    shifted = logits + np.random.default_rng(seed).standard_normal((200, 1))
    assert temperature(shifted, truth) == pytest.approx(once, rel=1e-5)  # a constant per row is no matter


@pytest.mark.parametrize("gap, right", [(0.5, 9), (2.0, 9), (2.0, 6), (8.0, 7), (-1.0, 4)])
def test_temperature_of_two_classes_in_closed_form(gap, right):
    """Every clip of 10 has the same gap of logits: the best T makes sigmoid(gap / T) the share that is right."""
    logits = np.tile([gap, 0.0], (10, 1))
    truth = np.array([0] * right + [1] * (10 - right))
    assert temperature(log_softmax(logits, axis=1), truth) == pytest.approx(gap / np.log(right / (10 - right)), rel=1e-6)


@settings(deadline=None)
@given(SEEDS, st.integers(2, 100), st.floats(0.1, 20))
def test_temperature_gives_the_least_nll_of_what_rescale_makes(seed, n, sharpness):
    logits, truth = sample(seed, n, sharpness=1.0)
    probabilities = softmax(sharpness * logits, axis=1)
    logs = log_softmax(sharpness * logits, axis=1)
    found = temperature(logs, truth)
    assert calibration.COLDEST <= found <= calibration.HOTTEST
    reached = sk.log_loss(truth, softmax(logs / found, axis=1), labels=range(4))
    for other in (1.0, *np.geomspace(calibration.COLDEST * 1.001, calibration.HOTTEST / 1.001, 30)):
        assert reached <= sk.log_loss(truth, softmax(logs / other, axis=1), labels=range(4)) + 1e-7
    if probabilities.min() > 1e-12:
        assert rescale(probabilities, found) == pytest.approx(softmax(logs / found, axis=1), abs=1e-9)


def test_temperature_of_calibrated_clips_is_about_one_and_mends_the_ece():
    logits, truth = sample(1, n=20_000)
    assert temperature(logits, truth) == pytest.approx(1, abs=0.05)
    mended = rescale(softmax(4 * logits, axis=1), temperature(log_softmax(4 * logits, axis=1), truth))
    assert expected_calibration_error(mended, truth) < 0.015


def test_temperature_where_the_clips_do_not_set_it():
    assert temperature(np.log([[0.6, 0.4], [0.3, 0.7]]), [0, 1]) == pytest.approx(calibration.COLDEST, rel=1e-4)  # all right
    assert temperature(np.log([[0.6, 0.4], [0.3, 0.7]]), [1, 0]) == pytest.approx(calibration.HOTTEST, rel=1e-4)  # all wrong
    assert temperature(np.log(np.full((5, 4), 0.25)), [0, 1, 2, 3, 0]) == 1


def test_classes_that_the_model_does_not_know_change_nothing():
    logits, truth = sample(2)
    logs = log_softmax(3 * logits, axis=1)
    wider = np.concatenate([logs, np.full((200, 2), -np.inf)], axis=1)
    assert temperature(wider, truth) == pytest.approx(temperature(logs, truth), rel=1e-7)
    rescaled = rescale(np.exp(wider), 2.5)
    assert rescaled[:, :4] == pytest.approx(rescale(np.exp(logs), 2.5))
    assert (rescaled[:, 4:] == 0).all()
    with pytest.raises(ValueError, match="-inf in 1 of 200"):
        temperature(wider, np.where(np.arange(200) == 7, 5, truth))


def never_heard(seed: int, sharpness: float, share: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """As an SVM gives them: the last of four classes has probability 0, and is the truth of a share of the clips."""
    logits, truth = sample(seed, 200, n_classes=3, sharpness=2.0)
    probabilities = np.concatenate([softmax(sharpness * logits, axis=1), np.zeros((200, 1))], axis=1)
    truth[: round(200 * share)] = 3
    return probabilities, truth


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.floats(0.3, 5))
def test_clips_of_a_class_that_was_never_heard_do_not_set_the_temperature(seed, sharpness):
    probabilities, truth = never_heard(seed, sharpness)
    known = truth < 3
    found = temperature_of(probabilities, truth)
    assert found == pytest.approx(temperature(np.log(probabilities[known][:, :3]), truth[known]), rel=1e-7)
    scaled = rescale(probabilities, found)
    assert nll(scaled[known], truth[known]) <= nll(probabilities[known], truth[known]) + 1e-12
    assert nll(scaled, truth) <= nll(probabilities, truth) + 1e-12, "the others cost the same"


def test_a_well_calibrated_model_that_never_heard_a_class_stays_as_it_is():
    assert temperature_of(*never_heard(0, 1.0)) == pytest.approx(1, abs=0.25)  # and not the hottest that is looked at


def test_without_a_clip_that_a_temperature_changes_it_is_1():
    probabilities, _ = never_heard(0, 3.0)
    assert temperature_of(probabilities, np.full(200, 3)) == 1.0


@settings(deadline=None)
@given(SEEDS, st.floats(0.05, 20))
def test_rescale_equals_powers_and_undoes_itself(seed, T):
    probabilities = softmax(sample(seed, 20)[0], axis=1)
    powers = probabilities ** (1 / T)
    assert rescale(probabilities, T) == pytest.approx(powers / powers.sum(1, keepdims=True), abs=1e-9)
    assert (rescale(probabilities, T).argmax(1) == probabilities.argmax(1)).all()
    if T > 0.5:  # below, small probabilities are lost to rounding
        assert rescale(rescale(probabilities, T), 1 / T) == pytest.approx(probabilities, abs=1e-9)


def test_rescale_of_certainty_is_certainty():
    certain = np.array([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    for T in (0.05, 1.0, 20.0):
        assert np.array_equal(rescale(certain, T), certain)


def test_the_least_is_found_by_another_method_too():
    logits, truth = sample(3, n=50)
    golden = minimize_scalar(lambda beta: sk.log_loss(truth, softmax(5 * logits * beta, axis=1), labels=range(4)), bracket=(0.1, 1))
    assert temperature(5 * logits, truth) == pytest.approx(1 / golden.x, rel=1e-5)


@pytest.mark.parametrize(
    "values", [[0.5, 0.5], np.zeros((0, 2)), [[0.5, 0.4]], [[1.2, -0.2]], [[np.nan, 1.0]], [[0.5, 0.5], [np.inf, 0.0]]], ids=str
)
def test_what_are_no_probabilities_is_refused(values):
    with pytest.raises(ValueError, match="probabilities must"):
        as_probabilities(np.array(values))


@pytest.mark.parametrize("truth", [[0], [0, 2], [0, -1], [[0, 1]]])
def test_what_is_no_truth_is_refused(truth):
    for figure in (nll, expected_calibration_error, temperature):
        with pytest.raises(ValueError, match="truth must be 2 class numbers"):
            figure(np.full((2, 2), 0.5), np.array(truth))


def test_other_nonsense_is_refused():
    half = np.full((2, 2), 0.5)
    for T in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="temperature must"):
            rescale(half, T)
    for wrong in ([[np.nan, 0.0]], [[np.inf, 0.0]], np.zeros((0, 2)), [0.0, 0.0]):
        with pytest.raises(ValueError, match="log-probabilities must"):
            temperature(np.array(wrong), np.zeros(len(wrong), int))
    with pytest.raises(ValueError, match="1 bin or more"):
        reliability(half, [0, 1], 0)
