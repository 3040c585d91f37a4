"""Weights and validation UARs of an encoder's layers, over folds and seeds."""

import json
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finser import layout
from finser.errors import FinserError
from finser.report.read import collect
from finser.summary.layers import layers_of

SHARE = st.floats(0, 1)


def tables() -> st.SearchStrategy[list[list[float]]]:
    """Six trainings x layers."""
    return st.integers(2, 26).flatmap(lambda n: st.lists(st.lists(SHARE, min_size=n, max_size=n), min_size=6, max_size=6))


@given(tables())
def test_weights_are_over_all_folds_and_seeds(each):
    found = {fold: [{"layer_weights": one} for one in each[2 * fold - 2 : 2 * fold]] for fold in (1, 2, 3)}
    result = layers_of(found)
    assert result["score"] == "weight" and "chosen" not in result
    for layer in range(len(each[0])):
        values = [one[layer] for one in each]
        assert result["mean"][layer] == pytest.approx(fmean(values))
        assert (result["low"][layer], result["high"][layer]) == (min(values), max(values))


@given(tables())
def test_a_layer_of_a_probe_counts_with_its_best_c(each):
    """Three folds with two values of C each."""
    found, best = {}, []
    for fold in (1, 2, 3):
        low_c, high_c = each[2 * fold - 2 : 2 * fold]
        both = ((0.1, low_c), (1.0, high_c))
        tried = [{"layer": layer, "c": c, "validation_uar": uars[layer]} for layer in range(len(low_c)) for c, uars in both]
        found[fold] = [{"layer": fold % len(low_c), "c": 0.1, "tried": tried}]
        best.append([max(pair) for pair in zip(low_c, high_c, strict=True)])
    result = layers_of(found)
    assert result["score"] == "validation_uar"
    assert result["chosen"] == {str(fold): fold % len(each[0]) for fold in (1, 2, 3)}
    for layer in range(len(each[0])):
        values = [one[layer] for one in best]
        assert result["mean"][layer] == pytest.approx(fmean(values))
        assert (result["low"][layer], result["high"][layer]) == (min(values), max(values))


@pytest.mark.parametrize(
    "found",
    [{}, {1: [], 2: []}, {1: [{"layer": -1, "c": 1.0, "tried": [{"layer": -1, "c": c, "validation_uar": 0.5} for c in (1.0, 10.0)]}]}]
    + [{1: [{"layer": 3, "c": 1.0, "tried": [{"layer": 3, "c": 1.0}]}]}],  # TESS has no validation clips
    ids=["nothing", "no encoder", "all layers", "one layer"],
)
def test_without_a_choice_between_layers_there_is_nothing_to_show(found):
    assert layers_of(found) == {}


def test_the_summary_has_layers_of_models_on_an_encoder_alone(encoders):
    layers = {model: one["layers"] for model, one in encoders.results.figures["speaker"].items()}
    assert {model: one.get("score") for model, one in layers.items() if one} == {
        "encoder_tuned": "weight",
        "encoder": "weight",
        "encoder_probe": "validation_uar",
    }
    weights = [one["layer_weights"] for fold in (1, 2) for one in encoders.metrics("encoder", "speaker", fold)["found"]]
    assert len(weights) == 4 and layers["encoder"]["high"] == [max(each) for each in zip(*weights, strict=True)]


@pytest.mark.parametrize("key", ["found", "encoder_params"])
def test_a_result_on_an_encoder_without_what_training_found_is_refused(encoders, key, tmp_path, monkeypatch):
    monkeypatch.chdir(encoders.folder)
    path = layout.classifier_result("encoder", "speaker", 2) / "metrics.json"
    text = path.read_text()
    try:
        path.write_text(json.dumps({name: value for name, value in json.loads(text).items() if name != key}))
        with pytest.raises(FinserError, match=f"lacks the key '{key}'"):
            collect(encoders.params)
    finally:
        path.write_text(text)
