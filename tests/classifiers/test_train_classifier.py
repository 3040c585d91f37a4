"""The three stages, end to end, on the miniature project."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import load_file

from finser import layout
from finser.audio.frames import DIMENSIONS
from finser.audio.shards import read_audio, read_labels, write_audio, write_labels
from finser.classifiers import classification
from finser.classifiers import train_classifier as training
from finser.classifiers.classification import Classification
from finser.classifiers.train_classifier import train_classifier
from finser.config.params import Params
from finser.config.sections.classifiers import KINDS
from finser.config.sections.fetch import Synthetic
from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.evaluation import evaluate_classifier as evaluation
from finser.evaluation.evaluate_classifier import evaluate_classifier
from finser.features.examples import read_examples
from finser.features.statistics import summary
from finser.files import read_json, write_json
from finser.machine import SETTINGS
from finser.splits.protocols import split
from finser.splits.table import read_parts, read_split
from finser.training import checkpoint, loop

from ..miniature import prepare, renew, write_emotions

FIGURES = {f"{name}{bound}" for name in ("uar", "wa", "f1_macro") for bound in ("", "_ci_low", "_ci_high", "_ci_centre")} | {
    "uar_seeds",
    "wa_seeds",
    "interval_corpora",
}
COUNTS = {"n_train", "n_train_speakers", "n_validation", "n_test", "n_test_speakers", "n_test_speakers_heard_by_fins", "params"}
CALIBRATION = {"temperature", "temperature_seeds", "ece", "ece_scaled", "nll", "nll_scaled"}
OTHERS = {"seed", "seeds", "epochs", "device", "trained_under", "protocol", "fold", "leaky", "noise", "validation_uar"}


@pytest.mark.parametrize("model", KINDS)
def test_a_model_learns_what_is_there_and_reports_it(finished, params, model):
    figures = read_json(layout.classifier_result(model, "speaker", 1) / "metrics.json")
    assert figures["uar"] > 0.8 and figures["uar_ci_low"] is None, "an interval of fewer than four speakers"
    of_encoder = {"found", "encoder_params"} if KINDS[model].needs_encoder else set()
    assert set(figures) == FIGURES | COUNTS | CALIBRATION | OTHERS | of_encoder
    parts = read_parts("speaker", 1, ["ravdess"])
    assert figures["n_train"] == len(params.classifiers[model].variants) * parts["train"].num_rows
    assert (figures["n_validation"], figures["n_test"]) == (parts["validation"].num_rows, parts["test"].num_rows)
    assert figures["n_test_speakers"] == len(set(parts["test"]["speaker"].to_pylist())) and figures["leaky"] is False
    assert figures["n_train_speakers"] == len(set(parts["train"]["speaker"].to_pylist()))
    timed = read_json(layout.training_time("train_classifier", model, "speaker", 1, 0))
    assert timed["validation_uar"] == pytest.approx(figures["validation_uar"]), "what a search sees is what evaluation finds"
    check_predictions(model, figures)


@pytest.mark.parametrize("model", [kind for kind in KINDS if KINDS[kind].needs_encoder])
def test_the_figures_have_what_every_seed_found_of_the_layers(project, params, altered, run, model):
    asked = altered(model, **({} if model == "encoder_probe" else {"epochs": 1}))
    asked = asked.model_copy(update={"seeds": (0, 1)})
    figures = run(asked, model)
    seeds = asked.seeds_of(model)
    assert figures["found"] == [read_json(layout.classifier(model, "speaker", 1, seed) / "config.json")["found"] for seed in seeds]
    assert len(seeds) == (1 if model == "encoder_probe" else 2)
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    given = load_file(layout.weights("byol_s") / "model.safetensors")
    assert figures["encoder_params"] == sum(array.size for name, array in given.items() if not name.endswith(buffers))


def check_predictions(model: str, figures: dict) -> None:
    parts = read_parts("speaker", 1, ["ravdess"])
    for name, part in (("predictions", "test"), ("validation", "validation")):
        table = pq.read_table(layout.classifier_result(model, "speaker", 1) / f"{name}.parquet")
        assert table.column_names == ["clip_id", "speaker", "emotion", "predicted", *(f"p_{emotion}" for emotion in EMOTIONS), "seed"]
        rows = table.to_pylist()
        assert [row["clip_id"] for row in rows] == sorted(parts[part]["clip_id"].to_pylist())
        for row in rows:
            shares = {emotion: row[f"p_{emotion}"] for emotion in EMOTIONS}
            assert sum(shares.values()) == pytest.approx(1) and max(shares, key=shares.get) == row["predicted"]
        if part == "test":
            assert np.mean([row["emotion"] == row["predicted"] for row in rows]) == pytest.approx(figures["wa"])
    history = (layout.classifier_result(model, "speaker", 1) / "history.csv").read_text().splitlines()
    assert history[0] == "epoch,train_loss,validation_loss,validation_uar,validation_wa,seed"
    assert len(history) == 1 + sum(figures["epochs"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: torch.cuda.is_available() is false")
@pytest.mark.parametrize("model", KINDS)
def test_every_model_trains_and_is_evaluated_on_a_gpu(project, altered, run, model):
    asked = altered(model, variants=("original",), **({"epochs": 2} if KINDS[model].by_gradient else {}))
    figures = run(asked, model)
    (settings,) = figures["trained_under"]
    assert (settings["device"], bool(settings["gpu"])) == (("cuda", True) if KINDS[model].by_gradient else ("cpu", False))
    assert 0 <= figures["uar"] <= 1 and np.isfinite(figures["nll"])
    first = (layout.classifier(model, "speaker", 1, 0) / "model.safetensors").read_bytes()
    run(asked, model)
    assert (layout.classifier(model, "speaker", 1, 0) / "model.safetensors").read_bytes() == first, "another training, the same bytes"


@pytest.fixture(scope="module")
def shuffled(built, tmp_path_factory, params):
    """The miniature project with other emotions, once for all models."""
    folder = tmp_path_factory.mktemp("shuffled") / "project"
    shutil.copytree(built, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        clips = pq.read_table(layout.clips("ravdess"))
        emotions = np.random.default_rng(0).permutation(clips["emotion"].to_pylist())
        write_emotions(params, dict(zip(clips["clip_id"].to_pylist(), emotions.tolist(), strict=True)))
        split(params, "speaker")
    return folder


@pytest.mark.parametrize("model", KINDS)
def test_shuffled_emotions_cannot_be_learned(shuffled, tmp_path, monkeypatch, altered, run, model):
    shutil.copytree(shuffled, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    fewer = {"epochs": 4} if KINDS[model].by_gradient else {}
    assert run(altered(model, variants=("original",), **fewer), model)["uar"] < 0.35


@pytest.mark.parametrize("model", KINDS)
def test_training_twice_gives_the_same_bytes(project, altered, run, model):
    asked = altered(model, **({"epochs": 2, "variants": ("original",)} if KINDS[model].by_gradient else {}))
    contents = []
    for _ in range(2):
        run(asked, model)
        folders = [layout.classifier(model, "speaker", 1, 0), layout.classifier_result(model, "speaker", 1)]
        contents.append({path: path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()})
    assert contents[0] == contents[1] and len(contents[0]) >= 7


@pytest.mark.parametrize("model", ["mlp", "small_cnn", "fin_ensemble"])
def test_seeds_are_other_trainings_and_an_added_one_moves_no_other(project, altered, model):
    asked = altered(model, epochs=1, variants=("original",))
    prepare(asked, model)
    weights = []
    for seed in (3, 0, 3):
        train_classifier(asked, model, "speaker", 1, seed)
        weights.append((layout.classifier(model, "speaker", 1, seed) / "model.safetensors").read_bytes())
    assert weights[0] == weights[2] != weights[1]
    assert read_json(layout.classifier(model, "speaker", 1, 3) / "config.json")["seed"] == 3


def test_a_killed_stage_resumes_and_leaves_no_checkpoint(project, altered, monkeypatch):
    asked = altered("small_cnn", epochs=4, variants=("original",))
    prepare(asked, "small_cnn")
    folder, place = layout.classifier("small_cnn", "speaker", 1, 0), ("small_cnn", "speaker", 1, 0)
    kept = layout.checkpoint("train_classifier", "small_cnn", "speaker", "1", "0")
    train_classifier(asked, *place)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    shutil.rmtree(folder)
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    batches = Classification.batches

    def fragile(self, epoch):
        assert epoch <= 2, "killed"
        return batches(self, epoch)

    monkeypatch.setattr(Classification, "batches", fragile)
    with pytest.raises(AssertionError, match="killed"):
        train_classifier(asked, *place)
    assert kept.exists() and not folder.exists()
    monkeypatch.setattr(Classification, "batches", batches)
    train_classifier(asked, *place)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole and not kept.exists()


def test_initial_weights_are_recorded_and_copied(project, params, altered):
    for model in KINDS:
        prepare(params, model)
        said = read_json(layout.initial(model) / "config.json")
        assert said["model"] == model and said["classes"] == list(EMOTIONS)
        copied = sorted(path.relative_to(layout.initial(model)) for path in layout.initial(model).rglob("*.safetensors"))
        assert bool(copied) == (model in ("fin_ensemble", "encoder_tuned"))
        assert said["weights"].endswith("of models/fins; the rest random") == (model == "fin_ensemble")
        assert (said["weights"] == "the encoder of models/weights/byol_s; the rest random") == KINDS[model].needs_encoder
    published = layout.weights("byol_s") / "model.safetensors"
    assert (layout.initial("encoder_tuned") / "model.safetensors").read_bytes() == published.read_bytes()
    for feature in DIMENSIONS:
        given, taken = (place / "model.safetensors" for place in (layout.fin(feature), layout.initial("fin_ensemble") / "fins" / feature))
        assert given.read_bytes() == taken.read_bytes()
    prepare(altered("fin_ensemble", fins=("mel",)), "fin_ensemble")
    assert {path.name for path in (layout.initial("fin_ensemble") / "fins").iterdir()} == {"mel"}


def test_fewer_speakers_train_and_the_same_validate_and_test(project, altered, run):
    whole = read_parts("speaker", 1, ["ravdess"])
    figures = run(altered("svm", speakers=0.5), "svm")
    speakers = set(read_json(layout.classifier("svm", "speaker", 1, 0) / "config.json")["train_speakers"])
    everybody = set(whole["train"]["speaker"].to_pylist())
    assert speakers < everybody and len(speakers) == figures["n_train_speakers"] == round(0.5 * len(everybody))
    assert (figures["n_validation"], figures["n_test"]) == (whole["validation"].num_rows, whole["test"].num_rows)
    with pytest.raises(FinserError, match="was trained with another value of speakers than params.yaml has; expected 1.0; found 0.5"):
        evaluate_classifier(altered("svm", speakers=1.0), "svm", "speaker", 1)


def test_config_says_what_was_done(project, altered, run):
    run(altered("mlp", epochs=1), "mlp", "random", 2)
    config = read_json(layout.classifier("mlp", "random", 2, 0) / "config.json")
    parts = read_parts("random", 2, ["ravdess"])
    assert config["classes"] == list(EMOTIONS) and config["corpora"] == ["ravdess"]
    assert (config["protocol"], config["fold"], config["seed"], config["epochs"]) == ("random", 2, 0, 1)
    assert config["options"] == altered("mlp", epochs=1).train_classifier["mlp"].model_dump(mode="json")
    assert config["train_speakers"] == sorted(set(parts["train"]["speaker"].to_pylist()))
    assert config["params"] == 200 * 128 + 128 + 128 * 64 + 64 + 64 * 8 + 8
    assert set(config) >= set(SETTINGS) and config["device"] in ("cpu", "cuda") and config["threads"] == 1
    assert set(config["versions"]) >= {"numpy", "finser", "scikit-learn" if config["options"]["model"] == "svm" else "torch"}
    figures = read_json(layout.classifier_result("mlp", "random", 2) / "metrics.json")
    assert figures["leaky"] is True
    assert 0 < read_json(layout.training_time("train_classifier", "mlp", "random", 2, 0))["seconds_train"] < 600


def test_normalisation_is_from_train_only(finished):
    stored = load_file(layout.classifier("svm", "speaker", 1, 0) / "model.safetensors")
    parts = {"train": read_parts("speaker", 1, ["ravdess"])["train"]}
    train = read_examples(summary(), parts, {"train": ("original",)}, EMOTIONS)["train"]
    assert stored["mean"] == pytest.approx(np.stack(train.inputs).astype(float).mean(0))


ARMS = {
    f"fin_ensemble {arm}": {"arm": arm, "fins": () if arm == "librosa" else tuple(DIMENSIONS)} for arm in ("librosa", "frozen", "tuned")
}
WITHOUT_NORMALISATION = ("encoder_tuned",)  # the encoder scales each clip as in its pretraining
NETWORKS = {model: {} for model in KINDS if KINDS[model].by_gradient and model not in ("fin_ensemble", *WITHOUT_NORMALISATION)}
EVERY_MODEL = {"svm": {}, "encoder_probe": {"layer": 1}, **NETWORKS, **ARMS}  # of a choice of layers, validation clips decide


def change_clips(part: str) -> None:
    """Other samples and other labels for the clips of a part, as long as before."""
    changed = set(read_parts("speaker", 1, ["ravdess"])[part]["clip_id"].to_pylist())
    audio = [replace(row, audio=row.audio[::-1] // 2) if row.clip_id in changed else row for row in read_audio(layout.shards("ravdess"))]
    labels = [
        replace(row, features={name: 1.5 * values[::-1] for name, values in row.features.items()}) if row.clip_id in changed else row
        for row in read_labels(layout.labels("ravdess"))
    ]
    write_audio(layout.shards("ravdess"), audio)
    write_labels(layout.labels("ravdess"), labels)


@pytest.fixture(scope="module")
def changes(built, tmp_path_factory, params):
    """The miniature project three times, for all models: as it is, with other validation and test clips, and with other training clips."""
    folders = [tmp_path_factory.mktemp("changes") / name for name in ("none", "held_out", "all")]
    for before, folder, parts in zip([built, *folders], folders, [(), ("validation", "test"), ("train",)], strict=False):
        shutil.copytree(before, folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            for part in parts:
                change_clips(part)
            renew(params, "ravdess")
    return folders


@pytest.mark.parametrize("case", EVERY_MODEL)
def test_the_saved_normalisation_is_of_the_training_clips_alone(changes, tmp_path, monkeypatch, altered, case):
    """The same bytes whatever the validation and test clips are, and others with other training clips."""
    model = case.split()[0]
    short = {"epochs": 1} if KINDS[model].by_gradient else {}
    asked = altered(model, variants=("original",), **short, **EVERY_MODEL[case])

    def statistics(folder: Path) -> dict[str, bytes]:
        shutil.copytree(folder, tmp_path / folder.name)
        monkeypatch.chdir(tmp_path / folder.name)
        prepare(asked, model)
        train_classifier(asked, model, "speaker", 1, 0)
        tensors = load_file(layout.classifier(model, "speaker", 1, 0) / "model.safetensors")
        assert np.ptp(tensors["scale"]) > 0 or tensors["scale"] != 1, "taken from something"
        return {name: tensors[name].tobytes() for name in ("mean", "scale")}

    before, held_out, after = map(statistics, changes)
    assert held_out == before
    assert after["scale"] != before["scale"]
    assert after["mean"] != before["mean"] or model == "fin_ensemble", "every clip loses its own mean there"


def test_training_times_are_of_the_epochs_and_what_is_computed_once_is_in_the_whole_only(project, altered, monkeypatch):
    """A clock that only features (50 s each time) and batches (1 s) move."""
    from finser.models import fin_ensemble

    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0], monotonic=lambda: now[0])
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(classification, "time", clock)

    def lasting(function: Callable, seconds: float) -> Callable:
        def longer(*given: object) -> object:
            now[0] += seconds
            return function(*given)

        return longer

    monkeypatch.setattr(Classification, "examples", lasting(Classification.examples, 1.0))
    owner = fin_ensemble.FinEnsembleClassifier
    monkeypatch.setattr(owner, "features", lasting(owner.features, 50.0))
    asked = altered("fin_ensemble", epochs=3, variants=("original",), batch_size=16)
    prepare(asked, "fin_ensemble")
    train_classifier(asked, "fin_ensemble", "speaker", 1, 0)
    batches = -(-read_parts("speaker", 1, ["ravdess"])["train"].num_rows // 16)
    times = read_json(layout.training_time("train_classifier", "fin_ensemble", "speaker", 1, 0))
    assert times.keys() == {"seconds_train", "seconds_per_epoch", "validation_uar"}
    assert (times["seconds_train"], times["seconds_per_epoch"]) == (2 * 50 + 3 * batches, batches)


def test_speakers_that_taught_the_fins_are_counted(finished, altered, run):
    own = read_json(layout.classifier_result("fin_ensemble", "speaker", 1) / "metrics.json")
    assert own["n_test_speakers_heard_by_fins"] == 0  # the FINs' fold is this fold
    other = run(altered("fin_ensemble", epochs=1, variants=("original",)), "fin_ensemble", fold=2)
    parts = read_parts("speaker", 1, ["ravdess"])
    taught = {row["speaker"] for part in ("train", "validation") for row in parts[part].to_pylist()}
    tested = set(read_parts("speaker", 2, ["ravdess"])["test"]["speaker"].to_pylist())
    assert other["n_test_speakers_heard_by_fins"] == len(taught & tested) > 0


SVM = ("svm", "speaker", 1)


def edit_config(**changes: object) -> None:
    """Let the trained SVM claim something else."""
    path = layout.classifier(*SVM, 0) / "config.json"
    write_json(path, {**read_json(path), **changes})


def edit_split(protocol: str, change: Callable[[dict], dict | None]) -> None:
    """Change rows of fold 1, or take some away."""
    table = pq.read_table(layout.split(protocol))
    rows = [change(row) if row["fold"] == 1 else row for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist([row for row in rows if row], table.schema), layout.split(protocol))


def test_a_model_of_another_fold_is_not_evaluated(finished, params):
    layout.classifiers(*SVM).rename(layout.classifiers("svm", "speaker", 2))
    with pytest.raises(FinserError, match="trained on another fold; expected speaker 2; found speaker 1; train it again"):
        evaluate_classifier(params, "svm", "speaker", 2)


@pytest.mark.parametrize(
    ("model", "key", "other"), [("fin_ensemble", "trim_db", 3.0), ("shallow_cnn", "log_mel.bands", {"bands": 32}), ("svm", "c", 1.0)]
)
def test_a_model_of_other_settings_is_not_evaluated(project, altered, run, model, key, other):
    """Its inputs would be made by the settings of now, and it learned from others."""
    trained = altered(model, **({"epochs": 1} if model != "svm" else {}))
    run(trained, model)
    changed = trained.model_dump()
    own = changed["fine_tune" if model in trained.fine_tune else "train_classifier"][model]
    section = key.split(".")[0]
    own[section] = {**own[section], **other} if isinstance(other, dict) else other
    said = f"{model}/speaker/1/0: was trained with another value of {key} than params.yaml has; expected.*train it again"
    with pytest.raises(FinserError, match=said):
        evaluate_classifier(Params.model_validate(changed), model, "speaker", 1)


def test_a_damaged_svm_and_options_of_another_version_are_one_clear_line(finished, params):
    folder = layout.classifier(*SVM, 0)
    edit_config(options={"model": "svm", "gamma": 3})
    with pytest.raises(FinserError, match=r"config.json: options of another version of finser \(gamma: .*train it again"):
        evaluate_classifier(params, *SVM)
    edit_config(options=params.classifiers["svm"].model_dump(mode="json"))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(FinserError, match="model.safetensors: not a readable model"):
        evaluate_classifier(params, *SVM)
    weights.unlink()
    with pytest.raises(FinserError, match="model.safetensors: no such file"):
        evaluate_classifier(params, *SVM)


def test_a_model_of_another_split_is_not_evaluated(finished, params):
    before = layout.split("speaker").read_bytes()
    split(Params.model_validate({**params.model_dump(), "seed": 7}), "speaker")
    assert layout.split("speaker").read_bytes() != before
    with pytest.raises(FinserError, match="trained on (test speakers|other clips)"):
        evaluate_classifier(params, *SVM)


def test_a_model_that_was_trained_on_a_test_speaker_is_not_evaluated(finished, params, run):
    """The model of fold 2, presented as that of fold 1: it has heard whom fold 1 tests."""
    run(params, "svm", fold=2)
    shutil.rmtree(layout.classifiers(*SVM))
    layout.classifiers("svm", "speaker", 2).rename(layout.classifiers(*SVM))
    edit_config(fold=1)
    heard = set(read_json(layout.classifier(*SVM, 0) / "config.json")["train_speakers"])
    tested = sorted(heard & set(read_parts("speaker", 1, ["ravdess"])["test"]["speaker"].to_pylist()))
    assert tested
    with pytest.raises(FinserError, match=f"was trained on test speakers: {tested[0]}.*train it again"):
        evaluate_classifier(params, *SVM)


def test_one_leaky_seed_among_several_is_found(project, altered, run):
    two = Params.model_validate({**altered("mlp", epochs=1, variants=("original",)).model_dump(), "seeds": (0, 1)})
    run(two, "mlp")
    tested = read_parts("speaker", 1, ["ravdess"])["test"]["speaker"][0].as_py()
    path = layout.classifier("mlp", "speaker", 1, 1) / "config.json"
    write_json(path, {**read_json(path), "validation_speakers": [tested]})
    with pytest.raises(FinserError, match=f"speaker/1/1: was trained on test speakers: {tested} \\(1 in all\\)"):
        evaluate_classifier(two, "mlp", "speaker", 1)


def test_a_model_that_draws_nothing_is_trained_with_the_first_seed_alone(project, params, run):
    two = Params.model_validate({**params.model_dump(), "seeds": (3, 1)})
    metrics = run(two, "svm")
    folder = layout.classifiers("svm", "speaker", 1)
    assert read_json(folder / "1/config.json") == {"model": "svm", "seed": 1, "same_as_seed": 3}
    assert (folder / "3/model.safetensors").exists() and not (folder / "1/model.safetensors").exists()
    assert metrics["seeds"] == [3] and len(metrics["uar_seeds"]) == 1
    swapped = Params.model_validate({**params.model_dump(), "seeds": (1, 3)})
    evaluate_classifier(swapped, "svm", "speaker", 1)
    again = read_json(layout.classifier_result("svm", "speaker", 1) / "metrics.json")
    assert again["uar"] == metrics["uar"] and again["seeds"] == [1]


def with_seeds(params: Params, *seeds: int) -> Params:
    return Params.model_validate({**params.model_dump(), "seeds": seeds})


def initial_bytes(params: Params, model: str) -> bytes:
    prepare(params, model)
    return (layout.initial(model) / "config.json").read_bytes()


def test_another_first_seed_makes_a_model_that_draws_nothing_stale_and_no_other(project, params):
    """Its other seeds refer to the first; DVC sees a change of models/initial/NAME."""
    for model in ("svm", "mlp"):
        first, fewer, other = (initial_bytes(with_seeds(params, *given), model) for given in ((3, 1), (3,), (1,)))
        assert first == fewer, "a second seed"
        assert (first == other) == (model == "mlp")


def test_the_first_seed_may_be_removed(project, params, run):
    before = run(with_seeds(params, 3, 1), "svm")
    shutil.rmtree(layout.classifier("svm", "speaker", 1, 3))
    after = run(with_seeds(params, 1), "svm")
    assert after["seeds"] == [1] and after["uar"] == before["uar"]
    assert read_json(layout.initial("svm") / "config.json")["seed"] == 1


def test_no_seed_refers_to_one_that_is_gone(project, params):
    """models/initial/NAME was made for another list of seeds: a command was called by hand."""
    prepare(with_seeds(params, 3, 1), "svm")
    with pytest.raises(FinserError, match=r"^models/initial/svm/config\.json: .*seed.*; expected 1; found 3; run: dvc repro$"):
        train_classifier(with_seeds(params, 1), "svm", "speaker", 1, 1)


@pytest.mark.parametrize("protocol", ["speaker", "random"])
def test_a_test_part_that_lacks_clips_is_not_evaluated(finished, params, run, protocol):
    run(params, "svm", protocol)
    hard = read_parts(protocol, 1, ["ravdess"])["test"]["clip_id"][0].as_py()
    edit_split(protocol, lambda row: None if row["clip_id"] == hard else row)
    with pytest.raises(FinserError, match="was trained on other clips than this split's"):
        evaluate_classifier(params, "svm", protocol, 1)


def test_a_speaker_on_both_sides_stops_training(project, params):
    prepare(params, "svm")
    first = read_split("speaker", 1).to_pylist()[0]
    other = "train" if first["role"] == "test" else "test"
    edit_split("speaker", lambda row: {**row, "role": other} if row["clip_id"] == first["clip_id"] else row)
    with pytest.raises(FinserError, match=f"speaker {first['speaker']} is in two parts of fold 1.*finser split"):
        train_classifier(params, *SVM, 0)


@pytest.mark.parametrize("stage", ["train", "evaluate"])
def test_a_test_clip_under_another_speakers_name_is_refused(finished, params, stage):
    """No speaker has two roles by name, but a test speaker's clip trains, or is tested, as if spoken by another."""
    parts = read_parts("speaker", 1, ["ravdess"])
    clip = parts["test"]["clip_id"][0].as_py()
    part = parts["train" if stage == "train" else "test"].to_pylist()
    entry = {"role": part[0]["role"], "speaker": next(row["speaker"] for row in part if row["speaker"] not in clip)}
    edit_split("speaker", lambda row: {**row, **entry} if row["clip_id"] == clip else row)
    with pytest.raises(FinserError, match=f"the split has another speaker for {clip}.*finser split"):
        train_classifier(params, *SVM, 0) if stage == "train" else evaluate_classifier(params, *SVM)


def test_a_test_clip_under_another_emotion_is_refused(finished, params):
    clip = read_parts("speaker", 1, ["ravdess"])["test"].to_pylist()[0]
    other = next(emotion for emotion in EMOTIONS if emotion != clip["emotion"])
    edit_split("speaker", lambda row: {**row, "emotion": other} if row["clip_id"] == clip["clip_id"] else row)
    with pytest.raises(
        FinserError, match=f"the split has another emotion for {clip['clip_id']}; expected {clip['emotion']}; found {other}"
    ):
        evaluate_classifier(params, *SVM)


def test_augmented_copies_do_not_validate(project, params, monkeypatch):
    prepare(params, "svm")
    monkeypatch.setattr(training, "variants", lambda _: {"train": ("original",), "validation": ("original", "noise")})
    with pytest.raises(FinserError, match=r"^augmented copies \(noise\) in validation; expected originals only$"):
        train_classifier(params, *SVM, 0)


def test_augmented_copies_are_not_tested_on(finished, params, monkeypatch):
    monkeypatch.setattr(evaluation, "ORIGINALS", ("original", "speed_pitch"))
    with pytest.raises(FinserError, match=r"^augmented copies \(speed_pitch\) in (validation|test); expected originals only$"):
        evaluate_classifier(params, *SVM)


@pytest.mark.parametrize("protocol", ["speaker", "random"])
def test_an_original_in_train_and_its_copy_in_test_are_refused(project, params, protocol):
    prepare(params, "svm")
    parts = read_parts(protocol, 1, ["ravdess"])
    twice = parts["test"].take([0]).set_column(5, "role", pa.array(["train"]))
    table = pq.read_table(layout.split(protocol))
    pq.write_table(
        pa.concat_tables([table, twice.cast(table.schema)]).replace_schema_metadata(table.schema.metadata), layout.split(protocol)
    )
    with pytest.raises(FinserError, match=f"clip_id {twice['clip_id'][0]} is in two parts of fold 1"):
        train_classifier(params, "svm", protocol, 1, 0)


def test_one_corpus_out_is_trained_and_tested_on_the_shared_emotions(project, params, run, second_corpus):
    names = ("ravdess", "tess")
    both = {"corpora": names, "pooled": names, "fetch": dict.fromkeys(names, Synthetic()), "protocols": ("speaker", "cross_corpus")}
    params = Params.model_validate({**params.model_dump(), **both})
    split(params, "cross_corpus")
    for fold, left_out, other in ((1, "ravdess", "tess"), (2, "tess", "ravdess")):
        figures = run(params, "svm", "cross_corpus", fold)
        config = read_json(layout.classifier("svm", "cross_corpus", fold, 0) / "config.json")
        assert {speaker.split("/")[0] for speaker in config["train_speakers"] + config["validation_speakers"]} == {other}
        assert [emotion for emotion, count in config["clips_per_emotion"].items() if not count] == ["calm"]
        predicted = pq.read_table(layout.classifier_result("svm", "cross_corpus", fold) / "predictions.parquet").to_pydict()
        assert {speaker.split("/")[0] for speaker in predicted["speaker"]} == {left_out}
        assert set(predicted["emotion"]) == set(EMOTIONS) - {"calm"} and "calm" not in predicted["predicted"]
        assert figures["uar"] > 0.8 and figures["leaky"] is False and figures["n_test_speakers"] == 10


def test_a_model_may_learn_from_some_of_the_pooled_corpora(project, params, run, second_corpus):
    names = ("ravdess", "tess")
    both = {"corpora": names, "pooled": names, "fetch": dict.fromkeys(names, Synthetic())}
    sections = {"svm": params.classifiers["svm"].model_dump(), "tess_only": {"model": "svm", "corpora": ("tess",)}}
    params = Params.model_validate({**params.model_dump(), **both, "train_classifier": sections, "models": tuple(sections)})
    split(params, "speaker")
    whole, part = run(params, "svm"), run(params, "tess_only")
    assert read_json(layout.classifier("tess_only", "speaker", 1, 0) / "config.json")["corpora"] == ["tess"]
    assert part["n_test"] == whole["n_test"] * 7 // 15 and part["n_train"] == whole["n_train"] * 7 // 15


def test_what_is_missing_is_named(project, params):
    with pytest.raises(FinserError, match="models/initial/mlp/config.json"):
        train_classifier(altered_to_one_epoch(params), "mlp", "speaker", 1, 0)
    with pytest.raises(FinserError, match="models/classifiers/mlp/speaker/1/0/config.json"):
        evaluate_classifier(params, "mlp", "speaker", 1)
    (layout.fin("mel") / "model.safetensors").unlink()
    with pytest.raises(FinserError, match="models/fins/mel"):
        prepare(params, "fin_ensemble")


def altered_to_one_epoch(params: Params) -> Params:
    values = params.model_dump()
    values["train_classifier"]["mlp"] |= {"epochs": 1}
    return Params.model_validate(values)


def test_training_leaves_nothing_else_behind(project, altered, run):
    run(altered("mlp", epochs=1), "mlp")
    assert {path.name for path in project.iterdir()} == {"data", "models", "results"}
    assert {path.name for path in layout.classifier("mlp", "speaker", 1, 0).iterdir()} == {
        "config.json",
        "history.csv",
        "model.safetensors",
    }
