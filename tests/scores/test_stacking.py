"""Fusion: known mixtures are found again, and the weights are those of another solver."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import softmax

from finser.scores import stacking as fusion
from finser.scores.calibration import nll
from finser.scores.stacking import stacked_fusion, stacked_weights


def members(seed: int, n_members: int, n: int, n_classes: int = 5) -> tuple[list[np.ndarray], np.ndarray]:
    """Members of unlike skill and sharpness, and the truth of their clips."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n)
    found = []
    for _ in range(n_members):
        logits = rng.uniform(0.2, 3) * rng.standard_normal((n, n_classes))
        logits[np.arange(n), truth] += rng.uniform(0, 3)
        found.append(softmax(logits, axis=1))
    return found, truth


MEMBERS = st.builds(members, st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 200))


@settings(deadline=None)
@given(MEMBERS)
def test_stacked_fusion_is_the_weighted_sum_and_equal_weights_are_the_mean(drawn):
    probabilities, truth = drawn
    weights = np.random.default_rng(0).dirichlet(np.ones(len(probabilities)))
    expected = sum(weight * member for weight, member in zip(weights, probabilities, strict=True))
    fused = stacked_fusion(probabilities, weights)
    assert fused == pytest.approx(expected)
    assert fused.sum(1) == pytest.approx(np.ones(len(truth)))
    equal = np.full(len(probabilities), 1 / len(probabilities))
    assert stacked_fusion(probabilities, equal) == pytest.approx(np.mean(probabilities, axis=0))


@settings(deadline=None)
@given(MEMBERS)
def test_weights_are_never_worse_than_equal_ones_or_than_one_member(drawn):
    probabilities, truth = drawn
    weights = stacked_weights(probabilities, truth)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    reached = nll(stacked_fusion(probabilities, weights), truth)
    assert reached <= nll(np.mean(probabilities, axis=0), truth) + 1e-12
    assert all(reached <= nll(member, truth) + fusion.TOLERANCE for member in probabilities)


@pytest.mark.parametrize("seed", range(8))
def test_weights_are_those_of_another_solver(seed):
    probabilities, truth = members(seed, 3, 300)
    own = np.stack([member[np.arange(300), truth] for member in probabilities])
    other = minimize(
        lambda w: -np.log(w @ own).mean(),
        np.full(3, 1 / 3),
        jac=lambda w: -(own / (w @ own)).mean(1),
        method="SLSQP",
        bounds=[(1e-12, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    weights = stacked_weights(probabilities, truth)
    assert -np.log(weights @ own).mean() == pytest.approx(other.fun, abs=1e-7)
    assert weights == pytest.approx(other.x, abs=2e-3)


def test_a_known_mixture_is_found_again():
    """The truth is drawn from member 0, 1 or 2 with chances .6, .3 and .1; member 3 is of no use."""
    rng = np.random.default_rng(0)
    chances, n = np.array([0.6, 0.3, 0.1, 0.0]), 20_000
    probabilities = [softmax(3 * rng.standard_normal((n, 4)), axis=1) for _ in chances]
    mixture = np.tensordot(chances, probabilities, axes=1)
    truth = (rng.random((n, 1)) > np.cumsum(mixture, axis=1)[:, :-1]).sum(1)
    assert stacked_weights(probabilities, truth) == pytest.approx(chances, abs=0.02)


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_two_certain_members_in_closed_form(share):
    """Each clip is right by one member only: the likelihood is w^share (1 - w)^(1 - share), greatest at w = share."""
    right = np.arange(100) < 100 * share
    a = np.stack([right, ~right], axis=1).astype(float)
    assert stacked_weights([a, 1 - a], np.zeros(100, int)) == pytest.approx([share, 1 - share], abs=1e-4)


def test_weights_go_with_the_members_and_are_equal_for_equal_ones():
    probabilities, truth = members(3, 3, 100)
    weights = stacked_weights(probabilities, truth)
    order = [2, 0, 1]
    assert stacked_weights([probabilities[i] for i in order], truth) == pytest.approx(weights[order], abs=1e-9)
    twice = stacked_weights([*probabilities, probabilities[0]], truth)
    assert twice[0] == twice[3]
    assert stacked_weights([probabilities[0]] * 4, truth) == pytest.approx(np.full(4, 0.25))
    assert stacked_weights(probabilities[:1], truth) == 1


def test_a_member_on_the_edge_of_being_of_use_ends_the_rounds_near_the_least():
    """The mean of b / a is 1 at weights (1, 0), the optimum: EM comes near it as 1 / rounds only."""
    clips = np.arange(200)
    own_b = np.where(clips % 2, 0.3, 0.7)
    probabilities = [np.full((200, 2), 0.5), np.stack([own_b, 1 - own_b], axis=1)]
    weights = stacked_weights(probabilities, np.zeros(200, int))
    assert nll(stacked_fusion(probabilities, weights), np.zeros(200, int)) == pytest.approx(np.log(2), abs=1e-7)


def test_a_clip_that_no_member_gets_right_is_no_obstacle():
    probabilities, truth = members(4, 2, 50)
    for member in probabilities:
        member[0] = np.eye(5)[(truth[0] + 1) % 5]
    without = stacked_weights([member[1:] for member in probabilities], truth[1:])
    assert np.isfinite(without).all()
    assert np.isfinite(stacked_weights(probabilities, truth)).all()
    # that clip says the same of all members, and pulls towards none
    shifted = stacked_weights(probabilities, truth)
    assert shifted == pytest.approx(without, abs=1e-4)


def test_members_of_unlike_clips_and_what_are_no_weights_are_refused():
    half = np.full((2, 2), 0.5)
    for wrong in ([], [half, np.full((3, 2), 0.5)]):
        with pytest.raises(ValueError, match="members must"):
            stacked_fusion(wrong, np.full(2, 0.5))
    for weights in ([1.0], [0.5, 0.4], [1.5, -0.5], [np.nan, 1.0], [[0.5, 0.5]]):
        with pytest.raises(ValueError, match="weights must"):
            stacked_fusion([half, half], np.array(weights))
    with pytest.raises(ValueError, match="truth must"):
        stacked_weights([half, half], np.array([0, 2]))
    with pytest.raises(ValueError, match="probabilities must"):
        stacked_fusion([half, [[0.5, 0.6], [0.5, 0.5]]], np.full(2, 0.5))
