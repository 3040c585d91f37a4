"""The bundle that is installed with finser: what it holds, what it says of itself, and its scores on real recordings."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from finser.audio.frames import SR
from finser.config.params import validate
from finser.config.reading import read
from finser.files import read_json
from finser.predict import bundle as bundles
from finser.predict.bundle import SHIPPED
from finser.predict.engines import OnnxEngine
from finser.predict.predictor import LocalPredictor
from finser.predict.run import load
from finser.tools.model_card import model_card

CORPORA = os.environ.get("FINSER_CORPORA")
RAVDESS = {1: "neutral", 3: "happy", 4: "sad", 5: "angry", 6: "fear", 7: "disgust"}  # third number of a file's name


def test_it_is_small_and_holds_no_recording():
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_000_000
    assert {path.suffix for path in files} <= {".json", ".md", ".onnx", ".safetensors", ".yaml", ".csv"}


def test_its_card_is_made_of_its_numbers():
    made = bundles.read(SHIPPED)
    assert (SHIPPED / "README.md").read_text() == model_card(made)
    assert [(one.name, one.speakers) for one in made.corpora] == [("crema_d", 28)] and made.scores["n_test_speakers"] == 28
    assert {one.name for one in made.others} == {"ravdess", "tess"}
    notice = (SHIPPED / "NOTICE.md").read_text()
    assert "CREMA-D" in notice and "Open Database License" in notice


def test_the_params_beside_it_made_it():
    params = validate(read(SHIPPED / "params.yaml"))
    made = bundles.read(SHIPPED)
    config = read_json(SHIPPED / made.members[0].folder / "config.json")
    options = params.classifiers[made.name].model_dump(mode="json")
    assert {**options, "epochs": 0} == {**config["options"], "epochs": 0} and config["options"]["epochs"] <= options["epochs"]
    assert made.classes == params.emotions and made.folds == params.folds and made.protocol == params.protocols[0]
    assert params.final == (made.name,) and params.pooled == ("crema_d",)


def test_it_says_what_it_is_and_is_not(capsys):
    predictor = load(None)
    said = capsys.readouterr().err
    uar = predictor.bundle.scores["uar"]
    assert isinstance(predictor.engine, OnnxEngine) and len(said.splitlines()) == 1
    for words in ("28 speakers of CREMA-D", f"{uar['value']:.2f}", "not for decisions about people", "README.md", "on RAVDESS"):
        assert words in said
    LocalPredictor()
    assert capsys.readouterr().err == said, "Python's users are told, too"
    load(str(SHIPPED))
    assert capsys.readouterr().err == "", "whoever names a bundle knows it"


def test_onnxruntime_and_torch_agree():
    waves = [(3000 * np.random.default_rng(seed).standard_normal(2 * SR)).astype(np.int16) for seed in range(3)]
    both = [[one.probabilities for one in LocalPredictor(engine=kind).predict_all((y, SR) for y in waves)] for kind in ("onnx", "torch")]
    for a, b in zip(*both, strict=True):
        assert a == pytest.approx(b, abs=1e-5)


@pytest.mark.skipif(CORPORA is None, reason="FINSER_CORPORA names no folder with real recordings")
def test_its_score_on_ravdess_is_that_of_the_card():
    paths = sorted(path for path in (Path(CORPORA) / "RAVDESS").rglob("03-01-*.wav") if int(path.name[6:8]) in RAVDESS)
    found = [one.emotion for one in LocalPredictor().predict_all(paths)]
    truth = [RAVDESS[int(path.name[6:8])] for path in paths]
    (stated,) = [one for one in bundles.read(SHIPPED).others if one.name == "ravdess"]
    assert balanced_accuracy_score(truth, found) == pytest.approx(stated.uar["value"], abs=0.01), "duplicates are left out of the card's"
