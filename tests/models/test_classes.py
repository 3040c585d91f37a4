"""Every kind of model tells any number of classes apart, and loads with the classes of its config.json."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finser.config.sections.classifiers import KINDS, Svm
from finser.errors import FinserError
from finser.features.examples import Examples
from finser.files import write_json
from finser.models import Classifier, begin, load
from finser.models.network import predict
from finser.models.rbf_svm import SvmClassifier

from .test_networks import TINY, input_of

FOUR = ("neutral", "happy", "sad", "angry")
SEVEN = ("boredom", "neutral", "happy", "sad", "angry", "fear", "disgust")
SETS = pytest.mark.parametrize("classes", [FOUR, SEVEN, ("sad", "angry")], ids=["four", "seven", "two"])


def options_of(name: str) -> object:
    nested: dict = {}
    for key, value in TINY.get(name, {}).items():
        *section, last = key.split(".")
        (nested.setdefault(section[0], {}) if section else nested)[last] = value
    return KINDS[name.split()[0]](**nested)


def examples(classes: tuple[str, ...], name: str = "svm", n: int = 40) -> Examples:
    rng = np.random.default_rng(len(classes))
    targets = np.arange(n) % len(classes)
    inputs = [rng.normal(size=211) + target if name == "svm" else input_of(name, rng, 40 + k % 3) for k, target in enumerate(targets)]
    return Examples("train", [f"c/{k}" for k in range(n)], ["c/s"] * n, ["original"] * n, targets, inputs, classes)


def saved(classifier: Classifier, name: str, classes: list[str], folder: Path) -> None:
    classifier.save(folder)
    write_json(folder / "config.json", {"classes": classes, "options": options_of(name).model_dump(mode="json")})


@SETS
@pytest.mark.parametrize("name", ["svm", *TINY])
def test_probabilities_of_any_classes_sum_to_1_and_are_restored(tmp_path, name, classes):
    part = examples(classes, name)
    classifier = begin(options_of(name), ("classes",), len(classes))
    if name == "svm":
        classifier.solve(part, part)
    found = classifier.probabilities(part.inputs)
    assert found.shape == (40, len(classes)) and found.dtype == np.float64
    assert found.sum(1) == pytest.approx(1) and (found > 0).all()
    saved(classifier, name, list(classes), tmp_path)
    restored, config = load(tmp_path)
    assert config["classes"] == list(classes)
    np.testing.assert_allclose(restored.probabilities(part.inputs), found, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", TINY)
def test_the_number_of_classes_is_in_the_last_layer_alone(name):
    """Its weights are drawn after all others of a network (random FINs are drawn later), which are the same for any classes."""
    few, many = (begin(options_of(name), ("classes",), count).net.state_dict() for count in (4, 8))
    assert few.keys() == many.keys()
    other = {key for key in few if few[key].shape != many[key].shape}
    assert {key.rsplit(".", 1)[1] for key in other} == {"weight", "bias"} and len({key.rsplit(".", 1)[0] for key in other}) == 1
    assert all(torch.equal(few[key], many[key]) for key in few.keys() - other if not key.startswith("fins."))


@pytest.mark.parametrize("name", ["svm", "mlp", "small_cnn", "fin_ensemble librosa"])
def test_a_config_with_fewer_classes_than_the_weights_is_refused(tmp_path, name):
    part = examples(SEVEN, name)
    classifier = begin(options_of(name), ("classes",), 7)
    if name == "svm":
        classifier.solve(part, part)
    saved(classifier, name, list(SEVEN[:4]), tmp_path)
    said = "weights of a class that config.json lacks" if name == "svm" else "weights of another topology"
    with pytest.raises(FinserError, match=f"model.safetensors: {said}"):
        load(tmp_path)


@pytest.mark.parametrize("classes", [None, [], ["sad"], ["sad", "sad"], "sad", {"sad": 1, "angry": 2}])
def test_a_config_without_classes_is_refused(tmp_path, classes):
    saved(begin(options_of("mlp"), ("classes",), 4), "mlp", classes, tmp_path)
    with pytest.raises(FinserError, match=r"config.json: no classes; expected a list of two or more, each once;.* train it again"):
        load(tmp_path)


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 9).flatmap(lambda count: st.tuples(st.just(count), st.sets(st.integers(0, count - 1), min_size=2))))
def test_an_svm_gives_classes_without_clips_probability_0(drawn):
    count, heard = drawn
    part = examples(tuple(f"e{number}" for number in range(count)))
    part = replace(part, targets=np.resize(sorted(heard), len(part)).astype(np.int64))
    svm = SvmClassifier(Svm(), count)
    svm.solve(part, part)
    found = svm.probabilities(part.inputs)
    assert found.shape == (40, count) and found.sum(1) == pytest.approx(1)
    assert set(np.flatnonzero(found.sum(0))) == heard


def test_one_emotion_is_refused_by_its_name():
    part = replace(examples(SEVEN), targets=np.zeros(40, np.int64))
    with pytest.raises(FinserError, match="two emotions or more to train on; found boredom"):
        SvmClassifier(Svm(), 7).solve(part, part)


class LengthOnly(torch.nn.Module):
    """Logits that are the mean of a clip, and its negative."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(1, keepdim=True)
        return torch.cat([mean, -mean], 1)


class Padded:
    """Clips of one length per batch."""

    def length(self, clip: np.ndarray) -> int:
        return len(clip)

    def __call__(self, clips: list[np.ndarray], _: object) -> tuple[torch.Tensor]:
        return (torch.from_numpy(np.stack(clips)),)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.integers(1, 7))
def test_predictions_are_in_the_order_of_the_clips_whatever_their_lengths(lengths, size):
    clips = [np.full(length, number / 10, np.float32) for number, length in enumerate(lengths)]
    found = predict(LengthOnly(), clips, Padded(), size)
    expected = 1 / (1 + np.exp(-2 * np.arange(len(clips)) / 10))
    assert found[:, 0] == pytest.approx(expected, rel=1e-6)
