"""What a bundle holds, against the files of results that it is made of."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import ModelCard
from sklearn.metrics import accuracy_score

from finser import layout
from finser.audio.frames import HOP_LENGTH, SR, n_frames
from finser.audio.shards import read_audio
from finser.config.params import Params
from finser.config.sections.fetch_weights import Weights
from finser.config.sections.known_weights import KNOWN
from finser.errors import FinserError
from finser.files import read_json, write_json
from finser.predict import bundle as bundles
from finser.predict.bundle import Earlier
from finser.scores.calibration import nll, rescale
from finser.tools.bundling import bundle, out_of_fold, points, said
from finser.tools.earlier import earlier
from finser.tools.model_card import model_card, rate
from finser.tools.other_corpora import scores_on_others


@pytest.fixture
def place(project_of_bundles, tmp_path, monkeypatch):
    shutil.copytree(project_of_bundles, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")


def test_scores_are_those_of_cross_validation(place):
    made = bundles.read(Path("bundles/small_cnn"))
    scores = read_json(layout.summary())["speaker"]["small_cnn"]
    assert made.scores["uar"] == scores["uar"] and made.scores["classes"] == scores["classes"]
    table = pq.read_table(layout.classifier_result("small_cnn", "speaker", 1) / "predictions.parquet")
    assert made.n_tested == table.num_rows and made.points[0].coverage == 1
    assert made.points[0].accuracy == pytest.approx(accuracy_score(table["emotion"].to_pylist(), table["predicted"].to_pylist()), abs=1e-4)


def test_the_temperature_is_the_best_for_the_out_of_fold_predictions(place, kept):
    truth, probabilities = out_of_fold(kept, "svm", "speaker")
    t = bundles.read(Path("bundles/svm")).temperature
    losses = [nll(rescale(probabilities, t * factor), truth) for factor in (0.9, 1, 1.1)]
    assert losses[1] < min(losses[0], losses[2]) or t in (pytest.approx(1 / 20), pytest.approx(20))


def test_points_are_coverage_and_accuracy():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.5, 0.5]])
    found = {point.threshold: (point.coverage, point.accuracy) for point in points(probabilities, np.array([0, 1, 1, 0]), 0.58)}
    assert found[0.5] == (1, 0.75) and found[0.58] == (0.75, 0.6667) and found[0.7] == (0.5, 1) and max(found) == 0.9


def test_ranges_are_those_of_the_clips(place):
    made = bundles.read(Path("bundles/svm"))
    seconds = [n_frames(len(row.audio)) * HOP_LENGTH / SR for row in read_audio(layout.shards("ravdess")) if row.variant == "original"]
    assert made.ranges.seconds.low == pytest.approx(np.percentile(seconds, 1), abs=1e-3)
    assert made.corpora[0].clips == len(seconds) and made.corpora[0].speakers == 10


def test_what_fins_learned_from_is_in_the_card(place):
    made, svm = (bundles.read(Path("bundles") / name) for name in ("fin_ensemble", "svm"))
    assert [(one.use, one.name, one.source) for one in made.earlier] == [("FINs", "ravdess", "synthetic")] and svm.earlier == ()
    metrics = read_json(layout.classifier_result("fin_ensemble", "speaker", 1) / "metrics.json")
    assert made.heard_by_fins == metrics["n_test_speakers_heard_by_fins"]
    card = Path("bundles/fin_ensemble/README.md").read_text()
    assert "| FINs | none: spoken by a synthesizer" in card and "of the test speakers" not in card
    assert "But 3 of the test speakers are among those whose clips trained the FINs" in model_card(
        made.model_copy(update={"heard_by_fins": 3})
    )


def test_what_encoders_and_published_weights_learned_from(tmp_path, monkeypatch, kept):
    monkeypatch.chdir(tmp_path)
    for fold, speakers in (("1", ["ravdess/01", "ravdess/02"]), ("2", ["ravdess/03"])):
        write_json(layout.initial("encoder") / "speaker" / fold / "config.json", {"speakers": speakers})
    inits = {
        "encoder": "models/pretrained/small_cnn",
        "tuned": "models/weights/ravdess",
        "plain": None,
        "known": "models/weights/ast_audioset",
    }
    params = SimpleNamespace(
        classifiers={name: SimpleNamespace(init=init) for name, init in inits.items()},
        fetch=kept.fetch,
        fetch_weights=(weights := {"ravdess": Weights(source="hub", family="ast", repo="a/b", licence="MIT"), "ast_audioset": Weights()}),
        weights_of=lambda name: weights[name].completed(name),
        known_weights_of=lambda name: KNOWN[name] if weights[name].source is None else None,
    )
    first, *published = earlier(params, ["encoder", "tuned", "plain", "encoder", "known"])
    assert (first.use, first.name, first.licence == "MIT", first.citation) == ("pretraining", "ravdess", False, None)
    gong = "Gong et al. 2021, AST: Audio Spectrogram Transformer, Interspeech"
    assert [(one.use, one.name, one.title, one.licence, one.source, one.citation) for one in published] == [
        ("published weights", "ravdess", "a/b", "MIT", "hub", None),
        ("published weights", "ast_audioset", "AST, AudioSet (mAP .4593)", "BSD-3-Clause", "hub", gong),
    ]


ON_ENCODERS = ("encoder_probe", "encoder", "encoder_tuned")


@pytest.mark.parametrize("model", ON_ENCODERS)
def test_the_card_names_the_encoder_its_licence_and_its_citation(place, kept, model):
    """Weights that finser knows by name have both; of others, finser knows what their section states."""
    assert "| byol_s | published weights | not stated | local |" in (Path("bundles") / model / "README.md").read_text()
    by_name, known = kept.model_copy(update={"fetch_weights": {"byol_s": Weights()}}), KNOWN["byol_s"]
    made = bundles.read(Path("bundles") / model).model_copy(update={"earlier": earlier(by_name, [model])})
    card = model_card(made)
    assert f"| {known.title} | published weights | {known.weights.licence} | download |\n\n{known.title}: {known.citation}\n\n" in card
    assert [one.name for one in made.earlier] == ["byol_s"] and "The licences of all these data apply" in card


@pytest.mark.parametrize("folds", [False, True])
@pytest.mark.parametrize("model", ON_ENCODERS)
def test_a_bundle_holds_the_encoder_unless_a_member_has_trained_it(place, kept, model, folds):
    folder = Path("bundles/of_folds" if folds else "bundles") / model
    found = {str(path.relative_to(folder)): path for path in (folder / "encoders").rglob("*") if path.is_file()}
    if model == "encoder_tuned":
        assert not found and {path.name for path in (folder / "members").rglob("encoder.json")} == {"encoder.json"}
        return
    assert sorted(found) == ["encoders/byol_s/config.json", "encoders/byol_s/model.safetensors"]
    assert all(path.read_bytes() == (layout.weights("byol_s") / path.name).read_bytes() for path in found.values())


@pytest.mark.parametrize("model", ["encoder_probe", "encoder"])
def test_clips_that_are_scaled_by_speaker_are_refused_in_one_line(place, kept, model):
    section = kept.fine_tune[model].model_copy(update={"normalise": "speaker"})
    by_speaker = kept.model_copy(update={"fine_tune": {**kept.fine_tune, model: section}})
    with pytest.raises(FinserError) as error:
        bundle(by_speaker, model, Path("new"))
    said = f"{model} scales the clips of each speaker together, and a bundle predicts one clip at a time"
    assert str(error.value) == f"params.yaml: {said}; expected normalise: train; found normalise: speaker" and not Path("new").exists()


@pytest.mark.parametrize("folds", [False, True])
def test_another_layer_than_that_of_the_trained_probe_is_refused(place, kept, folds):
    section = kept.fine_tune["encoder_probe"].model_copy(update={"layer": "all"})
    others = kept.model_copy(update={"fine_tune": {**kept.fine_tune, "encoder_probe": section}})
    with pytest.raises(FinserError, match="layer"):
        bundle(others, "encoder_probe", Path("new"), folds=folds)
    assert not Path("new").exists()


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_weights_of_the_encoder_that_are_missing_in_the_project_are_one_line(place, kept, missing):
    (layout.weights("byol_s") / missing).unlink()
    with pytest.raises(FinserError, match=rf"models/weights/byol_s/{missing}: no such file; run"):
        bundle(kept, "encoder", Path("new"))
    assert not Path("new").exists()


def test_weights_of_the_name_of_a_corpus_hide_no_score(place, kept):
    made = bundles.read(Path("bundles/svm"))
    weights = Earlier(use="published weights", name="ravdess", title="ravdess", licence=None, source="download")
    elsewhere = made.model_copy(update={"corpora": (made.corpora[0].model_copy(update={"name": "mine"}),), "earlier": (weights,)})
    assert [one.name for one in scores_on_others(kept, elsewhere, Path("bundles/svm"))] == ["ravdess"]


def test_a_remark_is_in_the_card(place, kept):
    made = bundle(kept, "svm", Path("new"), remark="C was chosen\nby hand. ")
    assert made.remark == "C was chosen by hand." and "\nC was chosen by hand.\n" in Path("new/README.md").read_text()


def test_a_corpus_that_only_fins_learned_from_is_not_scored_as_unknown(place, kept):
    made = bundles.read(Path("bundles/svm"))
    elsewhere = made.model_copy(update={"corpora": (made.corpora[0].model_copy(update={"name": "mine"}),)})
    assert [one.name for one in scores_on_others(kept, elsewhere, Path("bundles/svm"))] == ["ravdess"]
    of_fins = bundles.read(Path("bundles/fin_ensemble")).earlier
    assert not list(scores_on_others(kept, elsewhere.model_copy(update={"earlier": of_fins}), Path("bundles/svm")))


def test_classes_without_a_tested_clip_are_named_and_do_not_lower_chance(place):
    made = bundles.read(Path("bundles/svm"))
    assert made.tested_classes == made.classes and "of the other classes was tested" not in model_card(made)
    missing, *rest = made.classes
    scores = {**made.scores, "classes": {**made.scores["classes"], missing: {"recall": None, "precision": None}}}
    without = made.model_copy(update={"scores": scores})
    card = model_card(without)
    assert without.tested_classes == tuple(rest) and f"Chance is {rate(1 / len(rest))} UAR. UAR is the mean of {len(rest)} recalls." in card
    assert any(f"no clip of {missing} was tested" in line for line in said(without, Path("bundles/svm")))


def test_a_run_of_few_folds_is_said(place):
    made = bundles.read(Path("bundles/svm"))
    tested, speakers = made.scores["n_test_speakers"], made.corpora[0].speakers
    assert tested < speakers and any(
        f"those of {tested} of {speakers} speakers: the test speakers of folds 1" in line for line in said(made, Path("bundles/svm"))
    )


def test_the_card_says_whose_scores_it_states(place):
    made = bundles.read(Path("bundles/of_folds/svm"))
    cards = {kind: model_card(made.model_copy(update={"kind": kind})) for kind in ("single", "folds", "fusion")}
    assert made.kind == "folds" and bundles.read(Path("bundles/svm")).kind == "single"
    assert "This bundle averages" in cards["folds"] and "those of single models" in cards["folds"]
    assert "late fusions of cross-validation" in cards["fusion"] and "those of the late fusion of each fold" in cards["fusion"]
    assert "on all speakers above" in cards["single"] and "averages" not in cards["single"]


def test_no_name_of_a_speaker_is_in_a_bundle(place):
    text = "".join(path.read_text(errors="ignore") for path in Path("bundles").rglob("*") if path.suffix in (".json", ".md"))
    assert "ravdess/0" not in text and '"speakers": []' in text


def test_the_card_is_one_of_the_hub(place):
    card = ModelCard.load(Path("bundles/fin_ensemble/README.md"))
    assert card.data.library_name == "finser" and card.data.pipeline_tag == "audio-classification"
    made = bundles.read(Path("bundles/fin_ensemble"))
    assert f"| UAR | {made.scores['uar']['value']:.3f}".replace("0.", ".") in card.text or "1.000" in card.text
    for words in ("Synthetic speech: this model", "2024/1689", "not for decisions about people", "RAVDESS"):
        assert words in card.text
    assert yaml.safe_load(card.content.split("---")[1])["tags"]


def test_a_fusion_is_a_bundle_of_its_members(place, kept: Params):
    from finser.evaluation.fuse_classifiers import fuse_classifiers
    from finser.summary.summarise import summarise

    fused = {"both": {"members": ("svm", "small_cnn"), "method": "mean"}}
    params = Params.model_validate({**kept.model_dump(), "fusions": ("both",), "fuse_classifiers": fused})
    fuse_classifiers(params, "both", "speaker", 1)
    summarise(params)
    made = bundle(params, "both", Path("bundles/both"))
    assert [(member.folder, member.weight) for member in made.members] == [("members/svm", 0.5), ("members/small_cnn", 0.5)]
    (t,) = read_json(layout.classifier_result("svm", "speaker", 1) / "metrics.json")["temperature_seeds"]
    assert made.members[0].temperature == pytest.approx(t)


def test_a_fifth_of_the_predictions_are_below_the_threshold(place):
    for name in ("svm", "small_cnn"):
        made = bundles.read(Path("bundles") / name)
        (own,) = [point for point in made.points if point.threshold == made.threshold]
        assert own.coverage >= 0.8


def test_clips_are_those_that_were_trained_on(place):
    final, of_folds = (bundles.read(Path("bundles") / name) for name in ("svm", "of_folds/svm"))
    trained = read_json(layout.classifier("svm", "speaker", 1, 0) / "config.json")
    assert (final.corpora[0].clips, of_folds.corpora[0].clips) == (160, trained["n_train"])
    assert of_folds.corpora[0].speakers == len(trained["train_speakers"])


def test_a_stale_project_is_refused(place, kept):
    values = kept.model_dump()
    values["train_classifier"]["svm"]["c"] = 777.0
    with pytest.raises(FinserError, match=r"models/final/svm.*c"):
        bundle(Params.model_validate(values), "svm", Path("new"))
    Path("dvc.lock").write_text(
        yaml.safe_dump({"stages": {"resample@ravdess": {"params": {"params.yaml": {"resample": {"quality": "MQ"}}}}}})
    )
    with pytest.raises(FinserError, match="ravdess was made with other settings of `resample` than params.yaml has; run: dvc repro"):
        bundle(kept, "svm", Path("new"))
    assert not Path("new").exists()


@pytest.mark.parametrize(
    ("name", "folds", "said"),
    [
        ("smal_cnn", False, "neither in models nor in fusions; did you mean 'small_cnn'"),
        ("mlp", False, "models/final/mlp: is not trained; add mlp to `final` in params.yaml"),
        ("svm", False, "exists already"),
    ],
)
def test_what_cannot_be_bundled_is_one_line(place, kept, name, folds, said):
    with pytest.raises(FinserError, match=said):
        bundle(kept, name, Path("bundles/svm" if said.startswith("exists") else "new"), folds=folds)
    assert not Path("new").exists()
