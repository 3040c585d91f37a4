"""models/initial/NAME: what a training checks before it uses it."""

import pytest

from finser import layout
from finser.classifiers.prepare import prepared
from finser.errors import FinserError
from finser.files import read_json, write_json

from ..miniature import prepare


def test_a_kind_is_trained_with_the_libraries_that_were_recorded(project, params):
    """Stage train_classifier does not list scikit-learn, which the SVM alone imports; prepare_classifier records its version."""
    prepare(params, "svm")
    path = layout.initial("svm") / "config.json"
    config = read_json(path)
    prepared(params.classifiers["svm"], "svm")
    path.unlink()
    write_json(path, {**config, "libraries": {**config["libraries"], "scikit-learn": "0.1"}})
    with pytest.raises(FinserError, match=r"scikit-learn \S+ is installed; expected scikit-learn 0\.1; make environment"):
        prepared(params.classifiers["svm"], "svm")


def test_a_kind_is_trained_with_the_code_that_was_recorded(project, params):
    """Stage train_classifier lists no code: an edit between its preparation and its training must not go unseen."""
    prepare(params, "mlp")
    path = layout.initial("mlp") / "config.json"
    config = read_json(path)
    path.unlink()
    write_json(path, {**config, "code": 64 * "0"})
    with pytest.raises(FinserError, match="was prepared with other code of the model or its training; run: dvc repro"):
        prepared(params.classifiers["mlp"], "mlp")
