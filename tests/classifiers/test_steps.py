"""The three stages, end to end, on the miniature project."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from finser import layout
from finser.classifiers.evaluation import evaluate_classifier
from finser.classifiers.initial import initialise
from finser.classifiers.training import train_classifier
from finser.corpora.index import CLIPS_SCHEMA
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.files import read_json, write_json
from finser.params import Params, Synthetic
from finser.protocols import split
from finser.shards import DIMENSIONS, read_labels, write_labels
from finser.splits import read_parts

MODELS = ("svm", "mlp", "fin_ensemble")
FIGURES = {f"{name}{bound}" for name in ("uar", "wa", "f1_macro") for bound in ("", "_ci_low", "_ci_high")}
COUNTS = {"n_train", "n_validation", "n_test", "n_test_speakers", "n_test_speakers_heard_by_fins", "params"}
OTHERS = {"seed", "epochs", "device", "protocol", "fold", "leaky"}


def run(params: Params, model: str, protocol: str = "speaker", fold: int = 1) -> dict:
    initialise(params, model)
    train_classifier(params, model, protocol, fold)
    evaluate_classifier(params, model, protocol, fold)
    return read_json(layout.classifier_result(model, protocol, fold) / "metrics.json")


def altered(params: Params, model: str, **options: object) -> Params:
    values = params.model_dump()
    values["train_classifier"][model] |= options
    return Params.model_validate(values)


@pytest.mark.parametrize("model", MODELS)
def test_a_model_learns_what_is_there_and_reports_it(project, params, model):
    figures = run(params, model)
    assert figures["uar"] > 0.8 and figures["uar_ci_low"] <= figures["uar"] <= figures["uar_ci_high"]
    assert set(figures) == FIGURES | COUNTS | OTHERS
    parts = read_parts("speaker", 1, ["ravdess"])
    times = 1 if model == "svm" else 3
    assert figures["n_train"] == times * parts["train"].num_rows
    assert (figures["n_validation"], figures["n_test"]) == (parts["validation"].num_rows, parts["test"].num_rows)
    assert figures["n_test_speakers"] == len(set(parts["test"]["speaker"].to_pylist())) and figures["leaky"] is False
    check_predictions(model, figures)


def check_predictions(model: str, figures: dict) -> None:
    table = pq.read_table(layout.classifier_result(model, "speaker", 1) / "predictions.parquet")
    assert table.column_names == ["clip_id", "speaker", "emotion", "predicted", *(f"p_{emotion}" for emotion in EMOTIONS)]
    rows = table.to_pylist()
    assert [row["clip_id"] for row in rows] == sorted(row["clip_id"] for row in rows)
    assert np.mean([row["emotion"] == row["predicted"] for row in rows]) == pytest.approx(figures["wa"])
    for row in rows:
        shares = {emotion: row[f"p_{emotion}"] for emotion in EMOTIONS}
        assert sum(shares.values()) == pytest.approx(1) and max(shares, key=shares.get) == row["predicted"]
    history = (layout.classifier_result(model, "speaker", 1) / "history.csv").read_text().splitlines()
    assert history[0] == "epoch,train_loss,validation_loss,validation_uar,validation_wa"
    assert len(history) == 1 + figures["epochs"]


@pytest.mark.parametrize("model", MODELS)
def test_shuffled_emotions_cannot_be_learned(project, params, relabel, model):
    clips = pq.read_table(layout.clips("ravdess"))
    shuffled = np.random.default_rng(0).permutation(clips["emotion"].to_pylist())
    relabel(dict(zip(clips["clip_id"].to_pylist(), shuffled.tolist(), strict=True)))
    split(params, "speaker")
    assert run(params, model)["uar"] < 0.35


@pytest.mark.parametrize("model", MODELS)
def test_training_twice_gives_the_same_bytes(project, params, model):
    params = altered(params, model, epochs=2, variants=("original",)) if model != "svm" else params
    contents = []
    for _ in range(2):
        run(params, model)
        paths = [layout.classifier(model, "speaker", 1) / name for name in ("model.safetensors", "history.csv")]
        paths.append(layout.classifier_result(model, "speaker", 1) / "predictions.parquet")
        contents.append([path.read_bytes() for path in paths])
    assert contents[0] == contents[1]


def test_frozen_fins_stay_and_tuned_ones_move(project, params):
    sizes = {}
    for arm in ("frozen", "tuned"):
        figures = run(altered(params, "fin_ensemble", arm=arm, epochs=1, variants=("original",)), "fin_ensemble")
        sizes[arm] = figures["params"]
        for feature in DIMENSIONS:
            before = load_file(layout.fin(feature) / "model.safetensors")
            after = load_file(layout.classifier("fin_ensemble", "speaker", 1) / "fins" / feature / "model.safetensors")
            assert before.keys() == after.keys()
            moved = any(not np.array_equal(before[name], after[name]) for name in before)
            assert moved == (arm == "tuned") and all(np.isfinite(weights).all() for weights in after.values())
    # one front end, mel's weights once for mel and once within MFCC
    assert sizes["tuned"] - sizes["frozen"] == 37_952 + 20 + 89 + 13_056 + 2 * 2_953 + 2_580


def test_initial_weights_are_where_training_begins(project, params):
    for model in MODELS:
        initialise(params, model)
    assert not (layout.initial("svm") / "model.safetensors").exists()
    first = (layout.initial("mlp") / "model.safetensors").read_bytes()
    initialise(Params.model_validate({**params.model_dump(), "initialise": {"seed": 1}}), "mlp")
    assert (layout.initial("mlp") / "model.safetensors").read_bytes() != first
    train_classifier(altered(params, "mlp", epochs=1, learning_rate=1e-9), "mlp", "speaker", 1)
    start = load_file(layout.initial("mlp") / "model.safetensors")
    trained = load_file(layout.classifier("mlp", "speaker", 1) / "model.safetensors")
    assert np.allclose(start["layers.0.weight"], trained["layers.0.weight"], atol=1e-6)
    assert not np.allclose(start["mean"], trained["mean"])


def test_config_says_what_was_done(project, params):
    run(params, "mlp", "random", 2)
    config = read_json(layout.classifier("mlp", "random", 2) / "config.json")
    parts = read_parts("random", 2, ["ravdess"])
    assert config["classes"] == list(EMOTIONS) and config["corpora"] == ["ravdess"]
    assert (config["protocol"], config["fold"]) == ("random", 2)
    assert config["train_speakers"] == sorted(set(parts["train"]["speaker"].to_pylist()))
    assert config["params"] == 200 * 128 + 128 + 128 * 64 + 64 + 64 * 8 + 8
    assert set(config["versions"]) >= {"torch", "numpy", "scikit-learn"} and config["device"] in ("cpu", "cuda")
    figures = read_json(layout.classifier_result("mlp", "random", 2) / "metrics.json")
    assert figures["leaky"] is True
    assert 0 < read_json(layout.training_time("train_classifier", "mlp", "random", 2))["seconds_train"] < 600


def test_normalisation_is_from_train_only(project, params):
    run(params, "svm")
    stored = load_file(layout.classifier("svm", "speaker", 1) / "model.safetensors")
    from finser.classifiers.inputs import SUMMARY, read_examples

    train = read_examples(SUMMARY, {"train": read_parts("speaker", 1, ["ravdess"])["train"]}, {"train": ("original",)})["train"]
    assert stored["mean"] == pytest.approx(np.stack(train.inputs).astype(float).mean(0))


def test_speakers_that_taught_the_fins_are_counted(project, params):
    own = run(altered(params, "fin_ensemble", epochs=1, variants=("original",)), "fin_ensemble")
    assert own["n_test_speakers_heard_by_fins"] == 0  # the FINs' fold is this fold
    other = run(altered(params, "fin_ensemble", epochs=1, variants=("original",)), "fin_ensemble", fold=2)
    parts = read_parts("speaker", 1, ["ravdess"])
    taught = {row["speaker"] for part in ("train", "validation") for row in parts[part].to_pylist()}
    tested = set(read_parts("speaker", 2, ["ravdess"])["test"]["speaker"].to_pylist())
    assert other["n_test_speakers_heard_by_fins"] == len(taught & tested) > 0


def test_a_model_of_another_fold_or_split_is_not_evaluated(project, params):
    run(params, "svm")
    folder = layout.classifier("svm", "speaker", 1)
    layout.classifier("svm", "speaker", 2).parent.mkdir(exist_ok=True)
    folder.rename(layout.classifier("svm", "speaker", 2))
    with pytest.raises(FinserError, match="trained on another fold; expected speaker 2; found speaker 1"):
        evaluate_classifier(params, "svm", "speaker", 2)
    layout.classifier("svm", "speaker", 2).rename(folder)
    before = layout.split("speaker").read_bytes()
    split(Params.model_validate({**params.model_dump(), "seed": 7}), "speaker")
    assert layout.split("speaker").read_bytes() != before
    with pytest.raises(FinserError, match="trained on (test speakers|other clips)"):
        evaluate_classifier(params, "svm", "speaker", 1)


def test_a_model_that_heard_a_test_speaker_is_not_evaluated(project, params):
    run(params, "svm")
    path = layout.classifier("svm", "speaker", 1) / "config.json"
    tested = read_parts("speaker", 1, ["ravdess"])["test"]["speaker"][0].as_py()
    config = read_json(path)
    write_json(path, {**config, "train_speakers": [*config["train_speakers"], tested]})
    with pytest.raises(FinserError, match=f"trained on test speakers: {tested}"):
        evaluate_classifier(params, "svm", "speaker", 1)


def second_corpus() -> None:
    """The same clips and labels again as TESS, whose speakers are others, and who are never calm."""
    renamed = [replace(row, clip_id=row.clip_id.replace("ravdess", "tess")) for row in read_labels(layout.labels("ravdess"))]
    write_labels(layout.labels("tess"), [row for row in renamed if "calm" not in row.clip_id])
    rows = pq.read_table(layout.clips("ravdess")).to_pylist()
    rows = [{k: v.replace("ravdess", "tess") if isinstance(v, str) else v for k, v in row.items()} for row in rows]
    rows = [row for row in rows if row["emotion"] != "calm"]
    pq.write_table(pa.Table.from_pylist(rows, CLIPS_SCHEMA), layout.clips("tess"))


def test_one_corpus_out_is_trained_and_tested_on_the_shared_emotions(project, params):
    second_corpus()
    both = {"corpora": ("ravdess", "tess"), "fetch": {"ravdess": Synthetic(), "tess": Synthetic()}}
    learned = {**params.model_dump()["train_classifier"], "data": {"corpora": ("ravdess", "tess")}}
    params = Params.model_validate({**params.model_dump(), **both, "train_classifier": learned, "protocols": ("speaker", "cross_corpus")})
    split(params, "cross_corpus")
    for fold, left_out, other in ((1, "ravdess", "tess"), (2, "tess", "ravdess")):
        figures = run(params, "svm", "cross_corpus", fold)
        config = read_json(layout.classifier("svm", "cross_corpus", fold) / "config.json")
        assert {speaker.split("/")[0] for speaker in config["train_speakers"] + config["validation_speakers"]} == {other}
        assert [emotion for emotion, count in config["clips_per_emotion"].items() if not count] == ["calm"]
        predicted = pq.read_table(layout.classifier_result("svm", "cross_corpus", fold) / "predictions.parquet").to_pydict()
        assert {speaker.split("/")[0] for speaker in predicted["speaker"]} == {left_out}
        assert set(predicted["emotion"]) == set(EMOTIONS) - {"calm"} and "calm" not in predicted["predicted"]
        assert figures["uar"] > 0.8 and figures["leaky"] is False and figures["n_test_speakers"] == 10


def test_a_planted_leak_stops_training(project, params):
    initialise(params, "svm")
    table = pq.read_table(layout.split("speaker"))
    rows = table.to_pylist()
    rows[0]["role"] = "train" if rows[0]["role"] == "test" else "test"
    pq.write_table(table.from_pylist(rows, table.schema), layout.split("speaker"))
    with pytest.raises(FinserError, match="stands in two parts of fold 1"):
        train_classifier(params, "svm", "speaker", 1)


def test_what_is_missing_is_named(project, params):
    with pytest.raises(FinserError, match="models/initial/mlp/config.json"):
        train_classifier(params, "mlp", "speaker", 1)
    with pytest.raises(FinserError, match="models/classifiers/mlp/speaker/1/config.json"):
        evaluate_classifier(params, "mlp", "speaker", 1)
    (layout.fin("mel") / "model.safetensors").unlink()
    with pytest.raises(FinserError, match="models/fins/mel"):
        initialise(params, "fin_ensemble")


def test_training_leaves_nothing_else_behind(project, params):
    run(altered(params, "mlp", epochs=1), "mlp")
    made = {path.name for path in project.iterdir()}
    assert made == {"data", "models", "results"}
    assert json.loads((layout.classifier("mlp", "speaker", 1) / "config.json").read_text())["model"] == "mlp"
