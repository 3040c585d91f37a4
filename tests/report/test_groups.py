"""Groups of classifiers, and their order in every table and picture."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finser.report import classifier_figures
from finser.report.groups import group_of

EXPECTED = [  # as the page shows them; params.yaml of the fixture names them in another order
    ("baseline", "MLP"),
    ("baseline", "SVM (baseline)"),
    ("from scratch", "small CNN"),
    ("pretrained: imitation", "`pretrained`"),
    ("pretrained: FINs", "FIN ensemble"),
    ("pretrained: published", "encoder, fine-tuned"),
    ("pretrained: published", "encoder, dense"),
    ("pretrained: published", "`probe_all`"),
    ("pretrained: published", "encoder, probe"),
    ("late fusion", "`both`"),
]


def test_every_table_has_its_rows_in_the_order_of_the_groups(encoders):
    tables = [(caption, rows) for caption, rows in encoders.tables if rows and "group" in rows[0]]
    assert len(tables) >= 9
    for caption, rows in tables:
        found = list(dict.fromkeys((row["group"], row["model"].strip("*")) for row in rows))
        assert found == [one for one in EXPECTED if one in found], caption
        assert len(found) == len(EXPECTED) - ("differences of UAR" in caption), caption


def test_no_table_of_models_lacks_the_groups(encoders):
    assert [caption for caption, rows in encoders.tables if rows and "model" in rows[0] and "group" not in rows[0]] == []


def test_pictures_have_the_same_order(encoders):
    panels = [panel.get_title() for panel in classifier_figures.reliabilities(encoders.results, "speaker").axes]
    assert panels == [name.strip("`") for _, name in EXPECTED]
    confusions = re.findall(r"!\[Confusion of (.+?), speaker\]", encoders.text)
    assert confusions == panels
    trained = re.findall(r"^!\[(.+?): loss in training", encoders.text, re.MULTILINE)
    networks = [name for _, name in EXPECTED if "SVM" not in name and name not in ("`probe_all`", "encoder, probe", "`both`")]
    assert trained == networks


@given(st.permutations(range(9)))
def test_the_order_of_params_yaml_counts_within_a_group_alone(encoders, order):
    params = encoders.results.params
    runs = tuple(run for place in order for run in encoders.results.runs if run.model == params.models[place])
    models = dataclasses.replace(encoders.results, runs=runs).models
    groups = [group for group, _ in EXPECTED]
    assert [group_of(params, model) for model in models] == groups[:-1]
    for group in set(groups):
        within = [model for model in models if group_of(params, model) == group]
        assert within == [params.models[place] for place in order if params.models[place] in within]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"init": None}, "from scratch"),
        ({"init": "models/pretrained/x"}, "pretrained: imitation"),
        ({"init": "models/weights/x"}, "pretrained: published"),
        ({"init": "models/fins"}, "pretrained: FINs"),
    ],
)
def test_the_group_follows_from_the_initial_weights(encoders, changed, expected):
    params = encoders.results.params
    section = params.train_classifier["small_cnn"].model_copy(update=changed)
    assert group_of(params.model_copy(update={"train_classifier": {"small_cnn": section}, "fine_tune": {}}), "small_cnn") == expected
