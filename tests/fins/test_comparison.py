"""FINs that begin in other ways."""

import csv
import json

import pytest
import torch
from safetensors.torch import load_file

from finser import layout
from finser.errors import FinserError
from finser.fins.comparison import compare_fin, initial_fin, reference_fin
from finser.fins.conditions import CONDITIONS, frames_under, outputs
from finser.fins.evaluate_compared import evaluate_compared
from finser.fins.frames.data import draw
from finser.fins.frames.training_frames import training_frames
from finser.fins.reference import PLANS, ReferenceNet
from finser.fins.scoring import ValidationScore, scores

FEATURES = ("rms", "zcr", "chroma", "mel", "mfcc")


@pytest.fixture(scope="module")
def small(make_params):
    """Few steps."""
    values = make_params().model_dump(mode="json")
    for section in ("closed_form", "end_to_end"):
        values["compare_fin"][section] |= {"steps": 20, "batch_size": 8}
    values["compare_fin"]["ways"] = ["closed_form", "staged", "end_to_end"]
    values["reference_fin"] |= {"steps": 60, "batch_size": 32}
    values["train_front_end"] |= {"init": "random", "adam_steps": 30}
    for feature in FEATURES:
        values["train_fin"][feature] |= {"steps": 20, "learning_rate": 0.001}
    return make_params(**{name: values[name] for name in ("compare_fin", "reference_fin", "train_fin", "train_front_end")})


def only(params, *items: tuple[str, str, int]):
    """The parameters with these comparisons alone; `reference` is one that every params.yaml has, here of RMS."""
    own = [item for item in items if item[1] != "reference"]
    features, ways, seeds = (tuple(dict.fromkeys(column)) for column in zip(*own, strict=True))
    update = {"features": features, "ways": ways, "seeds": seeds}
    reference = params.reference_fin.model_copy(update={"features": ("rms",)})
    return params.model_copy(update={"compare_fin": params.compare_fin.model_copy(update=update), "reference_fin": reference})


@pytest.fixture(scope="module")
def scored(project, small):
    """A function that trains FINs, evaluates them in one stage and returns their results; the published network is trained once."""
    reference_fin(small, "rms", 0)

    def results(*items: tuple[str, str, int]) -> list[dict]:
        params = only(small, *items)
        for item in items:
            compare_fin(params, *item)
        evaluate_compared(params)
        found = json.loads(layout.fin_comparisons().read_text())
        return [found[feature][way][str(seed)] for feature, way, seed in params.compared_fins]

    return results


@pytest.mark.parametrize("feature", FEATURES)
def test_the_formula_is_perfect_before_any_training_and_under_every_condition(scored, feature):
    result = scored((feature, "closed_form", 0))[0]
    kind = "db_uniform" if feature == "mel" else "uniform"
    assert result[f"r2_init_{kind}"] > 0.999_99 and result[f"r2_test_{kind}"] > 0.999_9
    assert set(result["conditions"]) == set(CONDITIONS)
    assert all(scores["weighted"] > 0.999 for scores in result["conditions"].values())


def test_more_clips_than_frames_are_no_error(project, small, monkeypatch):
    monkeypatch.setattr("finser.fins.conditions.SIZE", 3)
    parts, labels = frames_under("noise_10_dB", small, "mel", "cpu")
    assert labels.shape == outputs(initial_fin(small, "mel", "closed_form", 0), parts).shape == (3, 128)


@pytest.mark.parametrize(("feature", "way"), [("rms", "staged"), ("mfcc", "staged"), ("chroma", "end_to_end"), ("mel", "end_to_end")])
def test_random_beginnings_have_something_to_learn(scored, small, feature, way):
    first, other, _ = scored((feature, way, 0), (feature, way, 1))
    assert first["r2_init_uniform"] < 0.99 and first["r2_init_uniform"] != other["r2_init_uniform"]
    assert first["r2_test_weighted"] > first["r2_init_weighted"]
    assert not layout.checkpoint("compare_fin", feature, way, "0").exists()


@pytest.mark.parametrize(("front_end", "n"), [("narrow", 37_952), ("wide", 144_576)])
def test_end_to_end_learns_all_weights(make_params, small, front_end, n):
    compare = small.compare_fin.model_copy(update={"end_to_end": small.compare_fin.end_to_end.model_copy(update={"front_end": front_end})})
    fin = initial_fin(small.model_copy(update={"compare_fin": compare}), "mfcc", "end_to_end", 0)
    assert sum(p.numel() for p in fin.parameters() if p.requires_grad) == n + 2_953 + 2_580


@pytest.mark.parametrize(("feature", "n"), [("rms", 66_241), ("zcr", 263_057), ("chroma", 894_412), ("mfcc", 822_420), ("mel", 983_680)])
def test_reference_nets_have_the_published_size(feature, n):
    fin = ReferenceNet(feature, torch.Generator().manual_seed(0))
    assert sum(parameter.numel() for parameter in fin.parameters()) == n
    assert fin(torch.randn(2, 2048)).shape == (2, {"rms": 1, "zcr": 1, "chroma": 12, "mfcc": 20, "mel": 128}[feature])
    assert set(PLANS) == set(FEATURES)


def test_reference_convolution_is_conv1d():
    fin, frames = ReferenceNet("zcr", torch.Generator().manual_seed(0)), torch.randn(3, 2048)
    expected = torch.nn.functional.conv1d(frames[:, None], fin.kernels.T[:, None], fin.kernels_bias, stride=4).relu()
    assert torch.allclose(fin._convolved(frames), expected.flatten(1), atol=1e-5)


def test_reference_is_trained_by_the_same_code(scored):
    result = scored(("rms", "closed_form", 0))[1]
    assert result["topology"] == "reference" and result["params"] == 66_241
    assert result["r2_test_uniform"] > result["r2_init_uniform"]
    assert not layout.checkpoint("reference_fin", "rms", "0").exists()


@pytest.mark.parametrize(("feature", "way"), [("rms", "closed_form"), ("mfcc", "staged"), ("mel", "end_to_end"), ("rms", "reference")])
def test_what_is_evaluated_is_the_network_that_was_trained(scored, small, feature, way):
    """It has the best validation R2 of its training, and its scores are those on librosa's labels. Other settings are refused."""
    results = scored((feature, way, 0) if way != "reference" else ("rms", "closed_form", 0))
    (result,) = [one for one in results if one["way"] == way]
    folder = layout.compared_fin(feature, way, 0)
    validation = training_frames(small, feature, "cpu").validation
    with (folder / "history.csv").open() as file:
        best = max(float(row["r2_validation"]) for row in csv.DictReader(file))
    for weights, kind in (("initial.safetensors", "init"), ("model.safetensors", "test")):
        fin = initial_fin(small, feature, way, 0)
        fin.load_state_dict(load_file(folder / weights))
        test = draw(small, feature, small.train_fin.data.corpora, role="test", size=small.evaluate_fin.frames)
        assert {f"r2_{kind}_{name}": value for name, value in scores(fin, test).items()}.items() <= result.items()
    assert ValidationScore(feature, validation)(fin) == pytest.approx(best, abs=1e-6)
    assert set(result["unseen"]) == set(small.unseen_corpora)
    other = small.model_copy(update={"seed": small.seed + 1})
    with pytest.raises(FinserError, match="another value of seed than params.yaml has"):
        evaluate_compared(only(other, ("rms", "closed_form", 0) if way == "reference" else (feature, way, 0)))
