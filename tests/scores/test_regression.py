import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from finser.scores.regression import r2_uniform, r2_weighted


def assert_like_sklearn(target, predicted):
    assert r2_uniform(target, predicted) == pytest.approx(r2_score(target, predicted, multioutput="uniform_average"), rel=1e-9, abs=1e-9)
    assert r2_weighted(target, predicted) == pytest.approx(r2_score(target, predicted, multioutput="variance_weighted"), rel=1e-9, abs=1e-9)


@given(st.integers(2, 50), st.integers(1, 8), st.floats(0, 3), st.integers(0, 1000))
def test_random_values(n, dim, error, seed):
    draws = np.random.default_rng(seed)
    target = draws.standard_normal((n, dim)) * 10.0 ** draws.integers(-3, 4, dim)
    assert_like_sklearn(target, target + error * draws.standard_normal((n, dim)))


@pytest.mark.parametrize("error", [0.0, 1.0])
@pytest.mark.parametrize("columns", [[0], [0, 1, 2]])
def test_constant_targets(columns, error):
    target = np.random.default_rng(0).standard_normal((20, 3))
    target[:, columns] = 5.0
    assert_like_sklearn(target, target + error)


def test_float32_is_summed_in_float64():
    target = (1e4 + np.random.default_rng(0).standard_normal((5000, 2))).astype(np.float32)
    assert_like_sklearn(target.astype(np.float64), (target + np.float32(0.5)).astype(np.float64))
    assert r2_uniform(target, target + np.float32(0.5)) == pytest.approx(
        r2_score(target.astype(float), target.astype(float) + 0.5), abs=1e-6
    )


def test_shapes_must_agree():
    for target, predicted in ((np.zeros((3, 2)), np.zeros((3, 1))), (np.zeros(3), np.zeros(3)), (np.zeros((1, 2)), np.zeros((1, 2)))):
        with pytest.raises(ValueError, match="R2 needs"):
            r2_uniform(target, predicted)
