"""Figures of merit against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from finser.scores.metrics import FIGURES, confusion_matrix, f1_macro, f1s, precisions, recalls, uar, wa

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
    for per_class, oracle in ((recalls, sk.recall_score), (precisions, sk.precision_score), (f1s, sk.f1_score)):
        expected = oracle(truth, predicted, labels=present, average=None, zero_division=0)
        assert per_class(confusion)[present] == pytest.approx(expected)
        assert np.isnan(per_class(confusion)[np.setdiff1d(range(8), present)]).all()


def test_leading_axes_are_independent():
    rng = np.random.default_rng(0)
    many = rng.integers(0, 9, (3, 4, 5, 5))
    for figure in FIGURES.values():
        assert figure(many)[2, 1] == figure(many[2, 1])
    for per_class in (recalls, precisions, f1s):
        assert np.array_equal(per_class(many)[2, 1], per_class(many[2, 1]))


def test_precision_of_what_is_never_predicted_and_of_what_never_was():
    confusion = confusion_matrix(np.array([0, 0, 1]), np.array([0, 2, 0]), 4)  # 1 is never predicted, 2 only predicted, 3 neither
    assert precisions(confusion) == pytest.approx([0.5, 0, np.nan, np.nan], nan_ok=True)
    assert f1s(confusion) == pytest.approx([0.5, 0, np.nan, np.nan], nan_ok=True)


@pytest.mark.parametrize("truth, predicted", [([0, 1], [0]), ([0, 8], [0, 1]), ([0, 1], [0, -1])])
def test_confusion_matrix_refuses_what_is_no_class(truth, predicted):
    with pytest.raises(ValueError):
        confusion_matrix(np.array(truth), np.array(predicted), 8)
