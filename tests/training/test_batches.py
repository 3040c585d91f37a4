"""Mini-batches: every example once, classes drawn equally, weights as scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from finser.classifiers.classification import Classification, class_weights
from finser.config.sections.classifiers import LogMel, Resnet18
from finser.emotions import EMOTIONS
from finser.features.examples import Examples
from finser.models import begin
from finser.models.mlp import Stack
from finser.training.batches import Batches, in_groups
from finser.training.loop import fit

TARGETS = st.lists(st.integers(0, 7), min_size=1, max_size=60)


def batches(targets: list[int], size: int = 8, names: tuple | None = (0, "x"), balanced: bool = False) -> Batches:
    """Inputs that say which example they are."""
    inputs = [np.array([number], np.float32) for number in range(len(targets))]
    return Batches(inputs, np.array(targets, np.int64), Stack(), size, names, balanced)


def epoch(of: Batches, number: int = 1) -> tuple[list[int], list[int]]:
    """Examples and targets of one epoch."""
    drawn = list(of.of_epoch(number))
    assert len(drawn) == len(of) and all(1 <= len(targets) <= of.size + 1 for _, targets in drawn)
    return [int(x) for inputs, _ in drawn for x in inputs[:, 0]], [int(y) for _, targets in drawn for y in targets]


@given(TARGETS, st.integers(1, 20))
def test_an_epoch_holds_every_example_once_with_its_own_target(targets, size):
    for names in ((0, "x"), None):
        inputs, found = epoch(batches(targets, size, names))
        assert sorted(inputs) == list(range(len(targets)))
        assert found == [targets[number] for number in inputs]


def test_an_epochs_order_depends_on_names_and_its_number_only():
    targets = [0] * 40
    running = batches(targets)
    first, second = epoch(running)[0], epoch(running, 2)[0]
    assert first != second and epoch(batches(targets), 2)[0] == second and epoch(running)[0] == first
    assert epoch(batches(targets, names=(1, "x")))[0] != first
    plain = batches(targets, names=None)
    assert epoch(plain)[0] == epoch(plain)[0] == list(range(40))


def test_sampling_draws_classes_equally_often_and_examples_of_a_class_too():
    targets = [0] * 100 + [3] * 20 + [7] * 5
    drawing = batches(targets, 32, balanced=True)
    drawn = [epoch(drawing, number) for number in range(80)]
    classes = np.concatenate([found for _, found in drawn])
    assert len(classes) == 80 * 125, "an epoch stays as long"
    assert np.bincount(classes, minlength=8)[[0, 3, 7]] / len(classes) == pytest.approx([1 / 3] * 3, abs=0.015)
    of_three = np.bincount([x for inputs, _ in drawn for x in inputs if 100 <= x < 120])[100:]
    assert of_three / of_three.sum() == pytest.approx([1 / 20] * 20, abs=0.01)


@given(TARGETS)
def test_weights_are_scikit_learns_balanced_ones_with_mean_one_over_the_examples(targets):
    targets = np.array(targets)
    weights = class_weights(targets, 8, "weights").numpy()
    there = np.unique(targets)
    assert weights[there] == pytest.approx(compute_class_weight("balanced", classes=there, y=targets), rel=1e-6)
    assert weights[targets].mean() == pytest.approx(1, rel=1e-5)
    assert not np.delete(weights, there).any(), "under label smoothing an absent class would be taught"
    for balance in ("none", "sampling"):
        assert class_weights(targets, 8, balance).tolist() == [1] * 8


@given(st.integers(1, 200), st.integers(1, 40))
def test_groups_hold_every_number_once_and_none_is_left_alone(n, size):
    order = np.random.default_rng(n).permutation(n)
    groups = in_groups(order, size)
    assert np.array_equal(np.concatenate(groups), order)
    assert all(len(group) == size for group in groups[:-1])
    assert len(groups[-1]) <= size + (size > 1 and n > size and n % size == 1)
    assert len(groups[-1]) > 1 or size == 1 or n == 1


def test_one_clip_that_is_left_does_not_break_batch_normalisation():
    """Of the smallest spectrogram a ResNet sees one value per channel: a batch of it alone has no variance."""
    options = Resnet18(width=8, epochs=1, batch_size=4, log_mel=LogMel(bands=32, crop_frames=32))
    clips = [np.random.default_rng(k).standard_normal((40, 32)).astype(np.float32) for k in range(5)]
    rows = [f"c/{k}" for k in range(5)], ["c/s"] * 5, ["original"] * 5, np.arange(5), clips, EMOTIONS
    train, validation = (Examples(part, *rows) for part in ("train", "validation"))
    history, *_ = fit(Classification(begin(options, ("one",), 8), train, validation, ("one",)))
    assert np.isfinite(history[0]["train_loss"])
