"""Figures of merit against scikit-learn, and the bootstrap against simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from finser.metrics import FIGURES, bootstrap, confusion_matrix, f1_macro, recalls, uar, wa

PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=60)


@settings(deadline=None)
@given(PAIRS)
@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.filterwarnings("ignore:A single label")
def test_figures_equal_scikit_learn(pairs):
    truth, predicted = np.array(pairs).T
    confusion = confusion_matrix(truth, predicted, 8)
    present = np.unique(truth)
    assert np.array_equal(confusion, sk.confusion_matrix(truth, predicted, labels=range(8)))
    assert uar(confusion) == pytest.approx(sk.balanced_accuracy_score(truth, predicted))
    assert wa(confusion) == pytest.approx(sk.accuracy_score(truth, predicted))
    assert f1_macro(confusion) == pytest.approx(sk.f1_score(truth, predicted, labels=present, average="macro", zero_division=0))
    expected = sk.recall_score(truth, predicted, labels=present, average=None, zero_division=0)
    assert recalls(confusion)[present] == pytest.approx(expected)
    assert np.isnan(recalls(confusion)[np.setdiff1d(range(8), present)]).all()


def test_leading_axes_are_independent():
    rng = np.random.default_rng(0)
    many = rng.integers(0, 9, (3, 4, 5, 5))
    for figure in FIGURES.values():
        assert figure(many)[2, 1] == figure(many[2, 1])


@pytest.mark.parametrize("truth, predicted", [([0, 1], [0]), ([0, 8], [0, 1]), ([0, 1], [0, -1])])
def test_confusion_matrix_refuses_what_is_no_class(truth, predicted):
    with pytest.raises(ValueError):
        confusion_matrix(np.array(truth), np.array(predicted), 8)


def simulate(rng: np.random.Generator, n_speakers: int = 30, per_speaker: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two classes; each speaker has an own chance of being recognised, mean 0.6, so the true figures are 0.6."""
    speakers = np.repeat(np.arange(n_speakers), per_speaker)
    truth = np.tile(np.arange(per_speaker) % 2, n_speakers)
    right = rng.random(len(truth)) < np.repeat(rng.beta(6, 4, n_speakers), per_speaker)
    return truth, np.where(right, truth, 1 - truth), speakers


def test_interval_covers_the_truth_about_as_often_as_it_says():
    covered = dict.fromkeys(FIGURES, 0)
    for trial in range(200):
        data = simulate(np.random.default_rng(trial))
        intervals = bootstrap(*data, 2, resamplings=300, confidence=0.9, rng=np.random.default_rng(1000 + trial))
        for name, (low, high) in intervals.items():
            covered[name] += low <= 0.6 <= high
    assert 165 <= covered["uar"] <= 194  # 180 expected, somewhat fewer with 30 speakers; sd 4.2
    assert 165 <= covered["wa"] <= 194


def test_resampling_clips_instead_would_be_too_sure():
    truth, predicted, speakers = simulate(np.random.default_rng(3))
    options = {"resamplings": 500, "confidence": 0.95}
    by_speaker = bootstrap(truth, predicted, speakers, 2, rng=np.random.default_rng(0), **options)["wa"]
    by_clip = bootstrap(truth, predicted, np.arange(len(truth)), 2, rng=np.random.default_rng(0), **options)["wa"]
    assert np.ptp(by_speaker) > 1.3 * np.ptp(by_clip)


def test_bootstrap_equals_one_resampling_at_a_time():
    rng = np.random.default_rng(5)
    truth, predicted, speakers = rng.integers(0, 3, 60), rng.integers(0, 3, 60), np.sort(rng.integers(0, 6, 60))
    intervals = bootstrap(truth, predicted, speakers, 3, resamplings=50, confidence=0.8, rng=np.random.default_rng(1))
    times = np.random.default_rng(1).multinomial(6, np.full(6, 1 / 6), size=50)
    scores = []
    for counts in times:
        rows = np.concatenate([np.tile(np.flatnonzero(speakers == s), counts[s]) for s in range(6)])
        scores.append(sk.balanced_accuracy_score(truth[rows], predicted[rows]))
    assert intervals["uar"] == pytest.approx(tuple(np.quantile(scores, [0.1, 0.9])))


def test_bootstrap_is_seeded_and_knows_nothing_from_one_speaker():
    truth, predicted, speakers = simulate(np.random.default_rng(0), n_speakers=4)
    first, again, other = (
        bootstrap(truth, predicted, speakers, 2, resamplings=100, confidence=0.95, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first == again != other
    alone = bootstrap(truth, predicted, np.zeros(len(truth)), 2, resamplings=100, confidence=0.95, rng=np.random.default_rng(0))
    assert alone == {"uar": None, "wa": None, "f1_macro": None}


def test_a_class_that_one_speaker_alone_speaks_does_not_break_the_bootstrap():
    truth, speakers = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])
    intervals = bootstrap(truth, truth, speakers, 8, resamplings=100, confidence=0.95, rng=np.random.default_rng(0))
    assert intervals == dict.fromkeys(FIGURES, (1.0, 1.0))
