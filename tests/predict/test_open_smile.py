"""An SVM on openSMILE's functionals, from the stages of a tiny project to a bundle and its predictions."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soxr
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from finser import layout
from finser.audio.frames import SR, to_int16
from finser.audio.shards import read_audio
from finser.classifiers.prepare import code_of_kind
from finser.classifiers.train_final import train_final
from finser.config.params import Params
from finser.errors import FinserError
from finser.features.extract import features as extract
from finser.features.noisy import noisy
from finser.files import read_json
from finser.models import load
from finser.predict import bundle as bundles
from finser.predict.predictor import LocalPredictor
from finser.project.libraries import versions_of
from finser.splits.table import read_parts
from finser.summary.summarise import summarise
from finser.tools.bundling import bundle

opensmile = pytest.importorskip("opensmile")


@pytest.fixture(scope="module")
def asked(altered) -> Params:
    """The miniature project's parameters, with an SVM on eGeMAPS that is kept, and white noise at 20 dB."""
    noise = {"noise": {"kinds": ("white",), "snr_db": (20.0,), "clips": 16}}
    values = altered("svm").model_dump()
    values["features"]["representations"] = ("statistics", "filter_banks", "egemaps")
    values["train_classifier"]["svm"]["representation"] = "egemaps"
    kept = {"models": ("svm",), "final": ("svm",), "protocols": ("speaker",), "folds": (1,), "evaluate_classifier": noise}
    return Params.model_validate({**values, **kept})


@pytest.fixture(scope="module")
def place(built, tmp_path_factory, asked, run) -> Path:
    """The project after all stages of this SVM; `bundle` has its bundle."""
    folder = tmp_path_factory.mktemp("open_smile") / "project"
    shutil.copytree(built, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        extract(asked, "ravdess", "egemaps")
        noisy(asked, "speaker", 1)
        run(asked, "svm")
        summarise(asked)
        train_final(asked, "svm")
        bundle(asked, "svm", Path("bundle"))
    return folder


@pytest.fixture(autouse=True)
def here(place, monkeypatch) -> None:
    monkeypatch.chdir(place)


def by_opensmile(samples: list[np.ndarray], rate: int) -> np.ndarray:
    """Functionals of int16 samples, by opensmile itself."""
    smile = opensmile.Smile(feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals)
    at_16k = [to_int16(soxr.resample(one / np.float32(32768), rate, 16_000))[0] for one in samples]
    return np.concatenate([smile.process_signal(one / np.float32(32768), 16_000).to_numpy() for one in at_16k])


def test_the_stages_train_and_test_it_on_opensmiles_functionals():
    """scikit-learn's SVM on the functionals of the same clips has the same accuracy."""
    figures = read_json(layout.classifier_result("svm", "speaker", 1) / "metrics.json")
    parts = {part: set(rows["clip_id"].to_pylist()) for part, rows in read_parts("speaker", 1, ["ravdess"]).items()}
    rows = [row for row in read_audio(layout.shards("ravdess")) if row.variant == "original"]
    chosen = {part: [row for row in rows if row.clip_id in parts[part]] for part in ("train", "test")}
    inputs = {part: by_opensmile([row.audio for row in some], SR).astype(np.float64) for part, some in chosen.items()}
    emotions = {part: [row.emotion for row in some] for part, some in chosen.items()}
    svm = make_pipeline(StandardScaler(), SVC(C=10, gamma="scale", break_ties=True)).fit(inputs["train"], emotions["train"])
    assert figures["wa"] == pytest.approx(svm.score(inputs["test"], emotions["test"])) and figures["uar"] > 0.6
    assert set(figures["noise"]) == {"clean", "white"} and 0 <= figures["noise"]["white"]["20"] <= 1


def test_only_this_svm_depends_on_opensmile(asked):
    """models/initial/NAME records the libraries and the files that a result depends on."""
    recorded = read_json(layout.initial("svm") / "config.json")
    assert recorded["libraries"]["opensmile"] == opensmile.__version__
    assert list(recorded["reads"]) == ["data/features/egemaps/ravdess/part-00000.arrow"]
    options = asked.classifiers["svm"]
    own, other = (code_of_kind(one) for one in (options, options.model_copy(update={"representation": "statistics"})))
    assert set(own) - set(other) == {"features.egemaps", "features.open_smile"} and "opensmile" not in versions_of(other)


def test_predictions_of_its_bundle_are_those_of_the_trained_svm():
    rows = [row.audio for row in read_audio(layout.shards("ravdess")) if row.variant == "original"][::7]
    classifier, _ = load(layout.final("svm"))
    wanted = classifier.probabilities(list(by_opensmile(rows, SR))).argmax(1)
    found = LocalPredictor("bundle").predict_all((audio, SR) for audio in rows)
    assert [one.emotion for one in found] == np.array(bundles.read(Path("bundle")).classes)[wanted].tolist()


@pytest.mark.parametrize("seconds", [0.01, 1.0])
def test_silence_of_any_length_has_a_prediction(seconds):
    found = LocalPredictor("bundle").predict(np.zeros(round(SR * seconds), np.int16), SR)
    assert sum(found.probabilities.values()) == pytest.approx(1)


def test_its_card_states_the_package_and_its_licence():
    card = (Path("bundle") / "README.md").read_text()
    assert bundles.read(Path("bundle")).extras == ("opensmile",)
    assert 'Predictions need openSMILE: `pip install "finser[opensmile]"`. Its licence allows private, research and educational use' in card


def test_without_opensmile_its_bundle_is_refused_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(FinserError, match=r'is not installed; pip install "finser\[opensmile\]"') as refused:
        LocalPredictor("bundle")
    assert "\n" not in str(refused.value)


def test_it_is_refused_as_onnx_and_nothing_is_written(asked, tmp_path):
    with pytest.raises(FinserError, match=r"no ONNX for this kind of classifier; .*; found .*svm on egemaps; leave out --onnx"):
        bundle(asked, "svm", tmp_path / "made", onnx="features")
    assert not list(tmp_path.iterdir())
