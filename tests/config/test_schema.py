"""params.yaml: what is committed is valid, and what is wrong is named in one line."""

import json
from copy import deepcopy
from functools import reduce
from pathlib import Path

import pytest
import yaml
from dvc.utils.serialize import parse_yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from finser.config import presets, schema_docs
from finser.config.base import Section
from finser.config.checks import contradictions
from finser.config.contradiction import Contradiction
from finser.config.dump import dump, resolved
from finser.config.fields import Fields
from finser.config.params import Params, load, validate
from finser.config.reading import read
from finser.config.sections.classifiers import DEFAULT_VARIANTS, KINDS, FinEnsemble
from finser.config.sections.results import Report
from finser.errors import FinserError, FinserErrors, lines
from finser.project.graph import Graph

ROOT = Path(__file__).parents[2]
DEMO = yaml.safe_load(resolved(presets.demo()))
FIN_ENSEMBLE = FinEnsemble().model_dump(mode="json", exclude={"init", "corpora"})


def demo_values() -> dict:
    """The demo's values, to be changed: a copy takes a hundredth of the time that writing and reading them takes."""
    return deepcopy(DEMO)


@pytest.fixture
def values() -> dict:
    """The demo's values without pairs and fusions, which name models."""
    values = demo_values()
    values["summarise"]["pairs"], values["fusions"], values["fuse_classifiers"] = [], [], {}
    return values


def put(values: dict, key: str, value: object) -> dict:
    *path, last = key.split(".")
    node = values
    for part in path:
        node = node.setdefault(part, {})
    node[last] = value
    return values


def test_committed_file_is_the_demo_preset():
    assert (ROOT / "params.yaml").read_text() == dump(presets.demo()), "run: finser preset demo"


def test_generated_pages_are_current():
    assert schema_docs.current(ROOT / "docs"), "run: finser schema"


@pytest.mark.parametrize("name", ["demo", "tiny", "open", "ravdess", "encoders", "finetune", "paper"])
def test_presets_survive_a_round_trip(name, tmp_path):
    (tmp_path / "params.yaml").write_text(dump(presets.make(name)))
    assert load(tmp_path / "params.yaml") == presets.make(name)


def test_every_key_of_the_schema_is_written(values):
    def keys(model) -> set[str]:
        return {name for name, field in model.model_fields.items()}

    assert keys(Params) == set(values)
    optional = {"corpora", "init"}  # keys without a value may be missing
    for section in ("index", "resample", "augment", "label", "split", "train_fin", "evaluate_fin", "evaluate_classifier"):
        assert keys(Params.model_fields[section].annotation) - {"own"} == set(values[section])  # split.own: none by default
    sections = {**values["train_classifier"], **values["fine_tune"]}
    unread = {name for name, kind in KINDS.items() if kind.needs_encoder}  # no preset but `encoders` and `finetune` has them
    assert set(sections) >= set(KINDS) - unread
    for name, kind in KINDS.items():
        if name not in unread:
            assert keys(kind) - optional == set(sections[name]) - optional


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train_fin.rms.stepz", 3, "unknown key 'train_fin.rms.stepz'; did you mean 'steps'?"),
        ("train_fni", {}, "unknown key 'train_fni'; did you mean 'train_fin'?"),
        ("fetch.ravdess.speaker", 3, "unknown key 'fetch.ravdess.speaker'; did you mean 'speakers'?"),
        ("augment.noize", {}, "did you mean 'noise'?"),
        ("corpora", ["ravdes"], "corpora names 'ravdes', which has no source under fetch; did you mean 'ravdess'?"),
        ("augment.variants", ["noyse"], "augment.variants.0: unknown name; found 'noyse'; did you mean 'noise'?"),
        ("augment.variants", ["noise", "noise"], "augment: variants names something twice"),
        ("train_classifier.svm.variants", ["noise_snr"], "train_classifier.svm.variants names 'noise_snr'"),
        ("train_classifier.svm.variants", ["noise_snr"], "did you mean 'noise'?"),
        ("train_classifier.svm.variants", ["speed"], "did you mean 'speed_pitch'?"),
        ("train_classifier.small_cnn.widht", 3, "unknown key 'train_classifier.small_cnn.widht'; did you mean 'width'?"),
        ("train_classifier.small_cnn.log_mel.band", 3, "unknown key 'train_classifier.small_cnn.log_mel.band'; did you mean 'bands'?"),
        ("train_classifier.small_cnn.model", "smal_cnn", "train_classifier.small_cnn: no such model; expected model: one of svm, mlp"),
        ("train_classifier.small_cnn", {}, "train_classifier.small_cnn: key 'model' is missing; expected model: one of svm, mlp"),
        ("train_classifier.svm.c", -1, "train_classifier.svm.c: wrong value; expected more than 0.0; found -1"),
        ("train_classifier.mlp.epochs", 0, "train_classifier.mlp.epochs: wrong value; expected at least 1; found 0"),
        ("fine_tune.mine", {"model": "ast", "init": "models/weights/x"}, "is no section of fetch_weights; there is none"),
        ("train_classifier.small_cnn.width", 25, "train_classifier.small_cnn.width: wrong value; expected a multiple of 3; found 25"),
        ("train_classifier.small_cnn.log_mel.bands", 48, "train_classifier.small_cnn.log_mel.bands"),
        ("train_classifier.mlp.balance", "weight", "did you mean 'weights'?"),
        ("train_classifier.mlp.keep", "first", "train_classifier.mlp.keep: unknown name; found 'first'"),
        ("train_classifier.mlp.patience", -1, "train_classifier.mlp.patience"),
        ("train_classifier.mlp.speakers", 0, "train_classifier.mlp.speakers"),
        ("train_classifier.mlp.corpora", ["esd"], "train_classifier.mlp.corpora names 'esd', which is not in pooled"),
        ("train_classifier.mlp.corpora", [], "train_classifier.mlp.corpora"),
        ("train_classifier.mine", {**FIN_ENSEMBLE, "arm": "librosa"}, "train_classifier.mine.fins must be [] in the arm `librosa`"),
        ("fine_tune.fin_ensemble.fins", [], "fine_tune.fin_ensemble.fins must be [] in the arm `librosa`, and name"),
        ("fine_tune.fin_ensemble.fins", ["mell"], "did you mean 'mel'?"),
        (
            "train_classifier.small_cnn.augment.speed",
            [1.2, 0.9],
            "small_cnn.augment.speed: the first limit, 1.2, is above the",
        ),
        ("train_classifier.small_cnn.augment.noise_db", [57, 22], "augment.noise_db: the first limit, 57.0, is above the"),
        (
            "fine_tune.small_cnn_pretrained.width",
            12,
            "fine_tune.small_cnn_pretrained.width is 12, but train_classifier.small_cnn.width is 24",
        ),
        (
            "fine_tune.small_cnn_pretrained.log_mel.bands",
            32,
            "fine_tune.small_cnn_pretrained.log_mel.bands is 32, but train_classifier.small_cnn.log_mel.bands is 64: models/pretrained",
        ),
        ("train_classifier.svm.variants", ["original", "original"], "train_classifier.svm.variants names something twice"),
        ("train_classifier.svm.corpora", ["tess", "tess"], "train_classifier.svm.corpora names something twice: tess, tess"),
        ("fine_tune.fin_ensemble.fins", ["mel", "mel"], "fine_tune.fin_ensemble.fins names something twice: mel, mel"),
        ("train_classifier.resnet18.pooling", "max", "train_classifier.resnet18.pooling: unknown name; found 'max'"),
        ("train_classifier.shallow_cnn.pooling", "mean", "train_classifier.shallow_cnn.pooling: unknown name; found 'mean'"),
        ("pretrain.corpora", ["esd"], "pretrain.corpora names 'esd', which is not in pooled"),
        ("pretrain.corpora", ["tess", "tess"], "pretrain.corpora names something twice: tess, tess"),
        ("pretrain.variants", ["gain"], "pretrain.variants names 'gain', which augment.variants does not"),
        ("pretrain.variants", ["noise", "noise"], "pretrain.variants names something twice: noise, noise"),
        ("pretrain.trunks", ["small_cnn", "small_cnn"], "pretrain.trunks names something twice: small_cnn, small_cnn"),
        ("pretrain.trunks", ["small_cnn", "mlp"], "pretrain.trunks names 'mlp', which is no section of train_classifier with a network"),
        ("fuse_classifiers.two", {"members": ["svm", "svm"]}, "fuse_classifiers.two.members names something twice: svm, svm"),
        ("evaluate_classifier.noise.kinds", ["white", "white"], "evaluate_classifier.noise.kinds names something twice: white, white"),
        ("evaluate_classifier.noise.snr_db", [5, 5.0], "evaluate_classifier.noise.snr_db names something twice: 5.0, 5.0"),
        ("train_classifier.Mlp", {"model": "mlp"}, "train_classifier.Mlp"),
        ("fine_tune.small_cnn_pretrained.widht", 3, "unknown key 'fine_tune.small_cnn_pretrained.widht'; did you mean 'width'?"),
        ("fine_tune.mine", {"model": "smal_cnn"}, "fine_tune.mine: no such model; expected model: one of svm, mlp"),
        ("fusions", ["fusd"], "fusions names 'fusd', which is no section of fuse_classifiers"),
        ("fuse_classifiers.svm", {"members": ["svm", "mlp"]}, "'svm' is a section of fuse_classifiers and a classifier: rename one"),
        (
            "fuse_classifiers.two",
            {"members": ["svm", "mlpp"]},
            "two.members names 'mlpp', which is no section of train_classifier or fine_tune",
        ),
        ("models", ["svm", "mlpp"], "models names 'mlpp', which is no section of train_classifier or fine_tune; did you mean 'mlp'?"),
        ("seeds", [0, 0], "seeds names something twice: 0, 0"),
        ("seeds", [], "seeds"),
        ("emotions", [], "emotions: empty; expected a list of 2 or more"),
        ("emotions", ["sad"], "emotions: too short; expected a list of 2 or more"),
        ("emotions", ["sad", "angry", "sad"], "emotions names something twice: sad, angry, sad"),
        ("emotions", ["sad", "Angry"], "emotions.1: wrong value; expected a name of lower-case letters, digits and _"),
        ("emotions", "sad", "emotions: wrong type; expected a list; found 'sad' (text)"),
        ("evaluate_classifier.noise.kinds", ["babel"], "did you mean 'babble'?"),
        ("pooled", ["ravdess", "iemocap"], "pooled names 'iemocap', which is not in corpora"),
        ("corpora", ["ravdess"], "names 'crema_d', which is not in corpora"),
        ("augment.noise_snr.snr_db", [20, 5], "augment.noise_snr.snr_db: the first limit, 20.0, is above the second, 5.0"),
        ("augment.gain.db", [0, 61], "augment.gain.db.1"),
        ("augment.gain.db", [0], "augment.gain.db"),
        ("augment.band_limit.sr", 22050, "augment.band_limit.sr"),
        ("augment.reverberation.rt60", [0, 1], "augment.reverberation.rt60.0"),
        ("augment.babble.talkers", 0, "augment.babble.talkers"),
        ("augment.speed_pitch.method", "vocoder", "did you mean 'phase_vocoder'?"),
        ("folds", [9], "fold 9 does not exist: split.folds is 5"),
        ("folds", [1, 1], "folds names something twice"),
        ("protocols", ["speaker", "cros_corpus"], "protocols.1: unknown name; found 'cros_corpus'; did you mean 'cross_corpus'?"),
        ("pooled", ["tess", "tess"], "pooled names something twice: tess, tess"),
        ("train_fin.data.corpora", ["tess", "tess"], "train_fin.data.corpora names something twice: tess, tess"),
        ("train_fin.rms.steps", 0, "train_fin.rms.steps"),
        ("train_fin.rms.learning_rate", "fast", "found 'fast'"),
        ("fetch.tess.source", "dow", "fetch.tess"),
        ("resample.sr", 16000, "resample.sr"),
        (
            "fuse_classifiers.fused",
            {"members": ["svm"], "metod": "mean"},
            "fuse_classifiers.fused.metod'; did you mean 'method'?",
        ),
        ("split.random_test", 0.9, "random_test and random_validation together leave no file to train on"),
    ],
)
def test_mistakes_are_named_in_one_line(values, key, value, said):
    with pytest.raises(FinserError) as caught:
        validate(put(values, key, value))
    assert any(said in line for line in str(caught.value).splitlines())
    assert all(line.startswith("params.yaml: ") for line in str(caught.value).splitlines())


@settings(deadline=None)
@given(st.sampled_from(["train_fin", "split", "augment", "report"]), st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12))
def test_no_unknown_key_is_accepted(section, key):
    known = Params.model_fields[section].annotation.model_fields
    values = demo_values()
    if key in known:
        return
    with pytest.raises(FinserError, match="unknown key"):
        validate(put(values, f"{section}.{key}", 1))


def test_cross_corpus_has_a_fold_per_corpus(values):
    values |= {"protocols": ["speaker", "cross_corpus"], "folds": [1, 4]}
    made = validate(values)
    assert (made.n_folds("cross_corpus"), made.n_folds("speaker"), made.n_folds("random")) == (4, 5, 5)
    with pytest.raises(FinserError, match=r"folds names 5, and cross_corpus has 4: one per corpus of pooled"):
        validate({**values, "folds": [1, 5]})
    validate({**values, "folds": [1, 5], "protocols": ["speaker", "random"]})
    put(values, "pooled", ["tess"])
    with pytest.raises(FinserError, match="protocols names cross_corpus, which needs two or more corpora in pooled"):
        validate({**values, "folds": [1]})


@pytest.mark.parametrize(
    ("corpora", "folds", "possible"), [(["crema_d", "tess"], [2, 3], True), (["crema_d", "tess"], [1], False), (["ravdess"], [1], False)]
)
def test_cross_corpus_trains_and_tests_every_model(values, corpora, folds, possible):
    values |= {"protocols": ["speaker", "cross_corpus"], "folds": folds}
    put(values, "train_classifier.mlp.corpora", corpora)
    put(values, "fusions", [])
    put(values, "summarise.pairs", [])
    if possible:
        validate(values)
    else:
        with pytest.raises(FinserError, match=r"train_classifier\.mlp\.corpora must name ravdess and another one"):
            validate(values)


def test_missing_source_is_said(values):
    del values["fetch"]["tess"]
    with pytest.raises(FinserError, match="corpora names 'tess', which has no source"):
        validate(values)


def test_a_key_that_stands_twice_is_an_error(tmp_path):
    (tmp_path / "params.yaml").write_text(dump(presets.demo()) + "seed: 3\n")
    with pytest.raises(FinserError, match="'seed' occurs twice"):
        load(tmp_path / "params.yaml")


def test_a_name_of_ones_own_may_stand_for_a_kind_that_stands_there_already(values):
    values["fine_tune"]["fin_mel"] = {"model": "fin_ensemble", "init": "models/fins", "arm": "tuned", "fins": ["mel"]}
    values["models"].append("fin_mel")
    made = validate(values).classifiers
    assert (made["fin_mel"].arm, made["fin_ensemble"].arm, type(made["fin_mel"])) == ("tuned", "frozen", FinEnsemble)


WEIGHTS = {"source": "local", "family": "ast", "model_size": "nano", "sha256": 64 * "0"}


@pytest.mark.parametrize(
    ("place", "section", "said"),
    [
        ("train_classifier", {"model": "small_cnn", "init": "models/pretrained/small_cnn"}, "move the section to fine_tune"),
        ("train_classifier", {"model": "fin_ensemble"}, "has the arm `frozen`, which starts from FINs: move it to fine_tune, with init"),
        ("fine_tune", {"model": "mlp"}, "names no initial weights: add init, or move the section to train_classifier"),
        ("fine_tune", {"model": "fin_ensemble"}, "names no initial weights: add init"),
        ("fine_tune", {"model": "mlp", "init": "models/fins"}, "models/fins, which is for fin_ensemble alone"),
        ("fine_tune", {"model": "fin_ensemble", "init": "models/weights/given"}, "fin_ensemble starts from models/fins alone"),
        (
            "fine_tune",
            {"model": "fin_ensemble", "init": "models/fins", "arm": "librosa", "fins": []},
            "uses no trained FIN: move the section",
        ),
        ("fine_tune", {"model": "fin_ensemble", "init": "models/fins", "arm": "uninitialised"}, "uses no trained FIN: move the section"),
        ("fine_tune", {"model": "svm", "init": "models/pretrained/small_cnn"}, "svm has no pretrained encoder"),
        ("fine_tune", {"model": "small_cnn", "init": "models/pretrained/smal_cnn"}, "did you mean 'small_cnn'?"),
        (
            "fine_tune",
            {"model": "small_cnn", "init": "models/weights/given"},
            "published weights are for ast and the classifiers on encoders",
        ),
        ("fine_tune", {"model": "ast", "init": "models/weights/givn"}, "'givn' is no section of fetch_weights; did you mean 'given'?"),
        (
            "fine_tune",
            {"model": "ast", "init": "models/weights/given"},
            "model_size is 'tiny', and fetch_weights.given has weights of 'nano'",
        ),
        ("fine_tune", {"model": "ast", "init": "fins"}, "init: no initial weights; expected models/fins, models/pretrained/TRUNK or"),
        (
            "fine_tune",
            {"model": "small_cnn", "init": "models/pretrained/small_cnn", "width": 12},
            "width is 12, but train_classifier.small_cnn.w",
        ),
        (
            "fine_tune",
            {"model": "resnet18", "init": "models/pretrained/small_cnn"},
            "model is 'resnet18', but train_classifier.small_cnn.model",
        ),
    ],
)
def test_initial_weights_fit_the_section_or_are_refused(values, place, section, said):
    values["fetch_weights"] = {"given": WEIGHTS}
    with pytest.raises(FinserError) as caught:
        validate(put(values, f"{place}.mine", section))
    assert any(f"{place}.mine" in line and said in line for line in str(caught.value).splitlines()), caught.value


ON_ENCODERS = ("encoder_probe", "encoder", "encoder_tuned")


@pytest.fixture
def with_encoder(values) -> dict:
    """The demo with a dense network on BYOL-S, named `mine`."""
    values["fetch_weights"] = {"byol_s": {}, "ast_audioset": {}}
    values["features"]["encoders"] = ["byol_s"]
    values["fine_tune"]["mine"] = {"model": "encoder", "init": "models/weights/byol_s"}
    values["models"].append("mine")
    return values


def lines_about(values: dict, key: str, value: object) -> list[str]:
    """Validate the values with another one for `key`; return the lines of the error."""
    with pytest.raises(FinserError) as caught:
        validate(put(values, key, value))
    return str(caught.value).splitlines()


def test_a_classifier_on_an_encoder_is_valid(with_encoder):
    assert validate(with_encoder).classifiers["mine"].reads == ("byol_s",)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("features.encoders", ["byol_s", "byol"], "features.encoders names 'byol', which is no section of fetch_weights; did you mean"),
        (
            "features.encoders",
            ["byol_s", "ast_audioset"],
            "features.encoders names 'ast_audioset', whose family ast is no encoder of speech",
        ),
        *(
            (
                "features.encoders",
                ["byol_s", name],
                f"features.encoders names '{name}', which is the name of other data: rename its section",
            )
            for name in ("statistics", "filter_banks", "egemaps", "compare_2016", "fins", "shards", "labels")
        ),
        ("features.encoders", ["byol_s", "byol_s"], "features.encoders names something twice: byol_s, byol_s"),
        ("features.encoders", "byol_s", "features.encoders: wrong type; expected a list; found 'byol_s' (text)"),
        ("features.encoders", [], "fine_tune.mine (model encoder) reads byol_s, which features.encoders does not name: add it there"),
        ("features.encoder_variants", ["original", "gain"], "features.encoder_variants names 'gain', which augment.variants does not"),
        ("features.encoder_variants", ["original", "original"], "features.encoder_variants names something twice: original, original"),
        ("features.encoder_variants", [], "features.encoder_variants: empty; expected a list of one or more"),
        ("features.encoder_variants", ["noise"], "mine.variants names 'original', which features.encoder_variants does not: add it there"),
        ("fine_tune.mine.variants", ["noise"], "fine_tune.mine.variants names 'noise', which features.encoder_variants does not: add it"),
        ("fine_tune.mine.statistics", ["median"], "fine_tune.mine.statistics.0: unknown name; found 'median'; did you mean 'mean'?"),
        ("fine_tune.mine.statistics", ["sd", "sd"], "fine_tune.mine.statistics names something twice: sd, sd"),
        ("fine_tune.mine.normalise", "speakers", "fine_tune.mine.normalise: unknown name; found 'speakers'; did you mean 'speaker'?"),
        ("pretrain.trunks", ["small_cnn", "mine"], "pretrain.trunks names 'mine', a section of fine_tune; name one of train_classifier"),
    ],
)
def test_a_contradiction_about_encoders_is_one_line(with_encoder, key, value, said):
    (line,) = lines_about(with_encoder, key, value)
    assert line.startswith("params.yaml: ") and said in line


@pytest.mark.parametrize("model", ON_ENCODERS)
@pytest.mark.parametrize(
    ("place", "init", "said"),
    [
        ("train_classifier", None, "needs the weights of an encoder: move it to fine_tune, with init: models/weights/NAME"),
        ("train_classifier", "models/weights/byol_s", "starts from trained weights (models/weights/byol_s): move the section to fine_tune"),
        ("fine_tune", None, "names no weights of an encoder: add init: models/weights/NAME"),
        ("fine_tune", "models/fins", "init is models/fins, which is for fin_ensemble alone"),
        ("fine_tune", "models/pretrained/small_cnn", "init is models/pretrained/small_cnn, and {model} has no pretrained encoder"),
        ("fine_tune", "models/pretrained/x", "init is models/pretrained/x, and {model} has no pretrained encoder"),
        ("fine_tune", "models/weights/ast_audioset", "which is of the family ast; {model} starts from wav2vec2 or hubert or wavlm or"),
        ("fine_tune", "models/weights/hubert_base", "is no section of fetch_weights; add `hubert_base: {{}}` to fetch_weights"),
        ("fine_tune", "models/weights/byol", "'byol' is no section of fetch_weights; did you mean 'byol_s'?"),
        ("fine_tune", "byol_s", "init: no initial weights; expected models/fins, models/pretrained/TRUNK or models/weights/NAME"),
    ],
)
def test_a_classifier_on_an_encoder_starts_from_the_weights_of_one(with_encoder, model, place, init, said):
    section = {"model": model} if init is None else {"model": model, "init": init}
    (line,) = lines_about(with_encoder, f"{place}.other", section)
    assert f"{place}.other" in line and said.format(model=model) in line


@pytest.mark.parametrize("model", ["svm", "mlp", "small_cnn"])
@pytest.mark.parametrize("name", ["byol_s", "x"])
def test_other_classifiers_start_from_no_published_weights(with_encoder, model, name):
    (line,) = lines_about(with_encoder, "fine_tune.other", {"model": model, "init": f"models/weights/{name}"})
    assert line.endswith("and published weights are for ast and the classifiers on encoders alone")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("layer", -1, "fine_tune.other.layer: wrong value; expected at least 0; found -1"),
        ("layer", "bets", "fine_tune.other.layer: unknown name; found 'bets'; did you mean 'best'?"),
        ("layer", 1.5, "fine_tune.other.layer: wrong type; expected a whole number, without quotes and decimal point; found 1.5"),
        ("c", 0.1, "fine_tune.other.c: wrong type; expected a list; found 0.1"),
        ("c", [1, 1], "fine_tune.other.c names something twice: 1.0, 1.0"),
        ("c", [0], "fine_tune.other.c.0: wrong value; expected more than 0.0; found 0"),
        ("probe", "logistics", "fine_tune.other.probe: unknown name; found 'logistics'; did you mean 'logistic'?"),
    ],
)
def test_a_wrong_value_of_a_probe_is_one_line(with_encoder, key, value, said):
    section = {"model": "encoder_probe", "init": "models/weights/byol_s", key: value}
    assert lines_about(with_encoder, "fine_tune.other", section) == [f"params.yaml: {said}"]


def test_a_section_stands_in_one_map(values):
    values["fine_tune"]["small_cnn"] = {"model": "small_cnn", "init": "models/pretrained/small_cnn"}
    with pytest.raises(FinserError, match="'small_cnn' is a section of train_classifier and of fine_tune: rename or delete one"):
        validate(values)


@pytest.mark.parametrize(("key", "value"), [("lora_rank", 4), ("gradient_checkpointing", True)])
def test_byol_s_is_no_transformer(with_encoder, key, value):
    section = {"model": "encoder_tuned", "init": "models/weights/byol_s", key: value}
    with pytest.raises(FinserError, match=f"fine_tune.mine.{key} needs a transformer, and byol_s is of the family byol_s: leave {key} out"):
        validate(put(with_encoder, "fine_tune.mine", section))


def test_a_model_that_is_scaled_by_speaker_is_not_kept(with_encoder):
    section = {"model": "encoder", "init": "models/weights/byol_s", "normalise": "speaker"}
    values = put(put(with_encoder, "fine_tune.mine", section), "final", ["mine"])
    with pytest.raises(FinserError, match="final names 'mine', which scales the clips of each speaker together"):
        validate(values)


@pytest.mark.parametrize(("key", "value"), [("model_size", "tiny"), ("frequency_stride", 10), ("time_stride", 12), ("frames", 128)])
def test_an_ast_starts_from_an_encoder_of_its_own_shape(values, key, value):
    values["pretrain"]["trunks"] = ["small_cnn", "ast"]
    values["fine_tune"]["mine"] = {**values["train_classifier"]["ast"], "init": "models/pretrained/ast", "masks": {}}
    assert validate(values).fine_tune["mine"].init == "models/pretrained/ast"
    with pytest.raises(FinserError, match=f"fine_tune.mine.{key} is .*{value}.*, but train_classifier.ast.{key} is "):
        validate(put(values, f"fine_tune.mine.{key}", value))


def test_filter_banks_of_the_variants_to_pretrain_on_are_computed(values):
    put(values, "pretrain.variants", ["original", "noise"])
    validate(values)
    with pytest.raises(FinserError, match="pretrain.variants names 'noise', which features.filter_bank_variants does not: add it there"):
        validate(put(values, "pretrain.trunks", ["small_cnn", "ast"]))


def test_pretraining_starts_from_random_weights(values):
    said = "pretrain.trunks names 'small_cnn_pretrained', a section of fine_tune; name one of train_classifier"
    with pytest.raises(FinserError, match=said):
        validate(put(values, "pretrain.trunks", ["small_cnn", "small_cnn_pretrained"]))


@pytest.mark.parametrize("model", presets.demo().models)
def test_leaving_a_model_out_is_one_edit(model, tmp_path, monkeypatch):
    """It goes from `models`; comparisons and fusions go on without it, and every job has its inputs."""
    values = yaml.safe_load(dump(presets.demo()))
    values["models"].remove(model)
    made = validate(values)
    assert model not in made.members_of("fused") and all(model not in pair for pair in made.pairs)
    assert len(made.members_of("fused")) == 4 - (model in presets.demo().fuse_classifiers["fused"].members)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    check_graph(Graph(), model)


def check_graph(graph: Graph, left_out: str) -> None:
    """Every input of a job of the report is a source or an output of a job, and none is trained or tested under the name."""
    waiting, jobs = [("report", {})], set()
    by_address = {graph.address(name, item): (name, item) for name in graph.stages for item in graph.items(name)}
    while waiting:
        name, item = waiting.pop()
        for dep in graph.deps(name, item):
            assert dep in graph.makers or dep.startswith("src/") or dep == "params.yaml", f"{name} {item} reads {dep}, which no job makes"
            made_by = graph.makers.get(dep)
            if made_by and made_by not in jobs:
                jobs.add(made_by)
                waiting.append(by_address[made_by])
    assert "summarise" in jobs and not {
        job for job in jobs if job.startswith((f"train_classifier@{left_out}-", f"evaluate_classifier@{left_out}-"))
    }


def test_a_fusion_needs_two_members_that_are_run():
    values = yaml.safe_load(dump(presets.demo()))
    values["models"] = ["svm", "small_cnn_pretrained"]
    with pytest.raises(FinserError) as caught:
        validate(values)
    said = "fuse_classifiers.fused needs two members in models and has only 'svm': take 'fused' out of fusions, or add one to models"
    assert str(caught.value) == f"params.yaml: {said}"
    values["fusions"] = []
    assert validate(values).pairs == ()


def test_a_fusion_of_the_seeds_of_one_classifier_names_one(values):
    values |= {"fusions": ["seeds_of_it"], "fuse_classifiers": {"seeds_of_it": {"members": ["mlp"]}}}
    assert validate(values).members_of("seeds_of_it") == ("mlp",)
    values["models"].remove("mlp")
    with pytest.raises(FinserError, match="fuse_classifiers.seeds_of_it needs two members in models and has none"):
        validate(values)


def test_pairs_of_what_is_not_run_are_left_out(values):
    values["fuse_classifiers"] = {"fused": {"members": ["svm", "mlp"]}}
    values["summarise"]["pairs"] = [["fused", "svm"], ["mlp", "svm"]]
    assert validate(values).pairs == (("mlp", "svm"),)
    assert validate({**values, "fusions": ["fused"]}).pairs == (("fused", "svm"), ("mlp", "svm"))


def test_missing_or_broken_file(tmp_path):
    with pytest.raises(FinserError, match="no such file"):
        load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(FinserError, match="not YAML"):
        load(tmp_path / "params.yaml")


def test_unseen_corpora_are_those_no_fin_learns_from():
    assert presets.demo().unseen_corpora == ("ravdess", "crema_d", "tess", "savee")


def test_classifiers_may_learn_from_what_augment_makes(values):
    put(values, "augment.variants", ["gain", "noise", "speed_pitch"])
    put(values, "train_classifier.svm.variants", ["original", "gain"])
    assert validate(values).variants == ("original", "gain", "noise", "speed_pitch")


def test_the_demo_makes_what_was_published():
    assert presets.demo().variants == DEFAULT_VARIANTS == ("original", "noise", "speed_pitch")


def test_address_needs_a_checksum(values):
    put(values, "fetch.ravdess", {"source": "download", "address": "https://example.org/a.zip"})
    with pytest.raises(FinserError, match="address and checksum go together"):
        validate(values)


def leaves(values: dict, above: str = "") -> list[str]:
    found = []
    for key, value in values.items():
        found += [f"{above}{key}"] + (leaves(value, f"{above}{key}.") if isinstance(value, dict) else [])
    return found


@pytest.mark.parametrize("key", leaves(demo_values()))
def test_a_key_may_be_left_out_or_is_named(key):
    """A key that DVC follows by name, or that has no default, is asked for; any other has the default of its place."""
    values = demo_values()
    *path, last = key.split(".")
    del reduce(dict.__getitem__, path, values)[last]
    try:
        made = validate(values)
    except FinserError as error:
        assert all(name in str(error) for name in (last, *path[-1:]))
        return
    usual = yaml.load(resolved(made), yaml.CSafeLoader)
    assert at(usual, key) is not None
    assert validate(usual) == made


def test_an_empty_section_has_the_defaults_of_its_place(values):
    """train_fin.rms and train_fin.zcr are sections of one kind, and have other defaults."""
    for section in ("train_fin", "compare_fin"):
        for name, value in values[section].items():
            values[section][name] = {} if isinstance(value, dict) else value
    made = validate(values)
    assert made.train_fin == presets.demo().train_fin and made.compare_fin == presets.demo().compare_fin
    assert made.train_fin.rms.steps == 1000 and made.train_fin.zcr.steps == 4000
    assert validate(put(values, "train_fin.rms.steps", 5)).train_fin.rms == made.train_fin.rms.model_copy(update={"steps": 5})


def test_sections_within_a_classifier_have_the_defaults_of_their_kind():
    """Else an empty section there would differ from none at all."""
    for kind in KINDS.values():
        for field in kind.model_fields.values():
            if isinstance(field.default, Section):
                assert field.default == type(field.default)()


def test_all_keys_that_dvc_follows_are_asked_for_at_once(tmp_path):
    values = yaml.safe_load(dump(presets.demo()))
    del values["index"], values["train_fin"], values["fine_tune"], values["augment"]["variants"], values["seed"]
    values["models"], values["summarise"], values["fusions"], values["fuse_classifiers"] = ["svm"], {"pairs": []}, [], {}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(FinserError) as caught:
        load(tmp_path / "params.yaml")
    said = str(caught.value).splitlines()
    assert len(said) == 5
    assert any("key 'index' is missing; add `index: {}` for the default" in line for line in said)
    assert any("add `train_fin: {data: {}, rms: {}, zcr: {}, chroma: {}, mel: {}, mfcc: {}}`" in line for line in said)
    assert any("key 'augment.variants' is missing; add `variants: [noise, speed_pitch]`" in line for line in said)
    assert any("add `seed: 0`" in line for line in said)
    assert any("add `fine_tune: {}`" in line for line in said)


def test_a_file_of_before_the_emotions_could_be_chosen_is_told_what_to_add(tmp_path):
    values = yaml.safe_load(dump(presets.demo()))
    del values["emotions"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(FinserError) as caught:
        load(tmp_path / "params.yaml")
    line = "emotions: [neutral, calm, happy, sad, angry, fear, disgust, surprise]"
    assert str(caught.value) == (
        f"{tmp_path / 'params.yaml'}: key 'emotions' is missing; add `{line}` for the default: DVC tracks this key"
    )
    (tmp_path / "params.yaml").write_text(f"{yaml.safe_dump(values)}{line}\n")
    assert load(tmp_path / "params.yaml") == presets.demo()


def test_emotions_that_no_published_corpus_has_may_be_chosen(values):
    assert validate(put(values, "emotions", ["neutral", "boredom"])).emotions == ("neutral", "boredom")


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "params.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FinserError, match="cannot be read"):
        load(tmp_path / "params.yaml")
    with pytest.raises(FinserError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([["mlp", "svn"]], "summarise.pairs names 'svn', which is neither a classifier nor a fusion; did you mean 'svm'?"),
        ([["mlp", "mlp"]], "summarise.pairs compares 'mlp' with itself"),
        ([["mlp", "svm"], ["svm", "mlp"], ["mlp", "svm"]], "summarise.pairs names 'mlp' against 'svm' twice"),
        ([["mlp", "svm", "mlp"]], "summarise.pairs.0"),
        ([["small_cnn", "mlp"]], "summarise.pairs compares 'small_cnn' and 'mlp', which are tested on different corpora: ravdess; crema_d"),
    ],
)
def test_pairs_must_be_two_models_of_the_same_corpora(values, pairs, said):
    put(values, "train_classifier.small_cnn.corpora", ["ravdess"])
    assert validate(put(values, "summarise.pairs", [["fin_ensemble", "svm"]])).summarise.pairs == (("fin_ensemble", "svm"),)
    with pytest.raises(FinserError) as caught:
        validate(put(values, "summarise.pairs", pairs))
    assert said in str(caught.value)


def at(values: dict, key: str) -> object:
    for part in key.split("."):
        values = values[part]
    return values


LEAVES = [key for key in leaves(DEMO) if not isinstance(at(DEMO, key), dict)]
NEVER = {bool: [1, 0.0, "true", [True], {}], int: [True, "3", 3.0, [3], {}], float: [True, "3", [3.0], {}], str: [3, True, 1.5, ["a"], {}]}


def wrong_values(value: object) -> list[object]:
    """What may never stand for a value: another type, however alike; in lists and pairs, for each of their parts."""
    if isinstance(value, list):
        parts = [[*value[:n], wrong, *value[n + 1 :]] for n, part in enumerate(value) for wrong in wrong_values(part)]
        return [*parts, True, 3, "abc", {}]
    return [*NEVER[type(value)], None, float("nan"), float("inf")]


@pytest.mark.parametrize("key", LEAVES)
def test_types_are_checked_as_written(key):
    for wrong in wrong_values(at(DEMO, key)):
        values = demo_values()
        with pytest.raises(FinserError) as caught:
            validate(put(values, key, wrong))
            pytest.fail(f"{key}: {wrong!r} is accepted")
        said = str(caught.value)
        assert key.rsplit(".", 1)[-1] in said and said.startswith("params.yaml: ") and "\n" not in said, said


def test_an_integer_may_stand_for_a_float(values):
    made = validate(put(values, "train_classifier.svm.c", 3))
    assert (type(made.train_classifier["svm"].c), made.train_classifier["svm"].c) == (float, 3.0)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train_classifier.svm.c", True, "train_classifier.svm.c: wrong type; expected a number, without quotes; found true"),
        ("train_classifier.svm.c", "3", "train_classifier.svm.c: wrong type; expected a number, without quotes; found '3' (text)"),
        ("train_fin.rms.steps", 3.0, "steps: wrong type; expected a whole number, without quotes and decimal point; found 3.0"),
        ("train_fin.rms.steps", [3], "steps: wrong type; expected a whole number, without quotes and decimal point; found a list"),
        ("evaluate_fin.speed", 1, "evaluate_fin.speed: wrong type; expected true or false; found 1"),
        ("evaluate_fin.speed", "true", "evaluate_fin.speed: wrong type; expected true or false; found 'true' (text)"),
        ("report.title", 3, "report.title: wrong type; expected text; found 3"),
        ("report.title", None, "report.title: wrong type; expected text; found nothing"),
        ("corpora", "tess", "corpora: wrong type; expected a list; found 'tess' (text)"),
        ("train_fin.rms", 3, "train_fin.rms: wrong type; expected a section: keys with values; found 3"),
        ("train_fin", None, "train_fin: wrong type; expected a section: keys with values; found nothing"),
        ("fuse_classifiers", [], "fuse_classifiers: wrong type; expected a section: keys with values; found a list"),
        ("train_classifier.svm.c", float("inf"), "train_classifier.svm.c: wrong value; expected a finite number; found inf"),
        ("resample.sr", 22050.0, "resample.sr: Input should be a valid integer; found 22050.0"),
        ("train_classifier.small_cnn.log_mel.bands", 64.0, "log_mel.bands: Input should be a valid integer; found 64.0"),
    ],
)
def test_a_wrong_type_is_said_in_plain_words(values, key, value, said):
    with pytest.raises(FinserError) as caught:
        validate(put(values, key, value))
    assert said in str(caught.value)


def read_text(text: str, folder: Path) -> dict:
    (folder / "read.yaml").write_text(text, encoding="utf-8")
    return read(folder / "read.yaml")


def same(one: object, other: object) -> bool:
    """Equal, and of equal types all the way down: 1, 1.0 and True are three values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or (one != one and other != other)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("036", 36),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", 1000),
        ("-.5", -0.5),
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("TRUE", True),
        ("~", None),
        ("12:30", "12:30"),
        ("'1'", "1"),
        ("1.0", 1.0),
    ],
)
def test_values_are_those_that_dvc_reads(tmp_path, written, value):
    assert same(read_text(f"a: {written}\n", tmp_path), {"a": value})
    assert same(parse_yaml(f"a: {written}\n", "params.yaml"), {"a": value})


SPELLINGS = st.one_of(
    st.from_regex(r"[-+]?[0-9][0-9_]{0,4}(\.[0-9]{0,3})?([eE][-+]?[0-9]{1,2})?", fullmatch=True),
    st.from_regex(r"[-+]?\.[0-9]{1,3}(e[-+]?[0-9])?", fullmatch=True),
    st.from_regex(r"0[xob][0-9a-f]{1,4}", fullmatch=True),
    st.sampled_from(["y", "n", "yes", "on", "off", "true", "True", "FALSE", "null", "Null", "~", ".inf", "-.Inf", ".nan"]),
    st.sampled_from(["'1'", '"1e3"', "1:30", "2:03:04", "1e3x", "0x", "0o9", "-", "''"]),
    st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True),
)
LISTS = st.lists(SPELLINGS, max_size=3).map(lambda items: f"[{', '.join(items)}]")
SECTIONS = st.dictionaries(st.from_regex(r"k[a-z0-9]{0,2}", fullmatch=True), st.one_of(SPELLINGS, LISTS), max_size=4)


def written(section: dict[str, str], *above: str) -> str:
    return f"{{{', '.join([*above, *(f'{key}: {value}' for key, value in section.items())])}}}"


@settings(deadline=None, max_examples=300)
@given(SECTIONS, SECTIONS, SECTIONS)
def test_documents_have_the_values_that_dvc_reads(tmp_path_factory, one, two, three):
    """Numbers in many spellings, lists, and merge keys of one anchor and of two."""
    folder = tmp_path_factory.getbasetemp()
    text = f"a: &a {written(one)}\nb: &b {written(two, '<<: *a')}\nc: {written(three, '<<: [*b, *a]')}\n"
    try:
        theirs = parse_yaml(text, "params.yaml")
    except Exception:
        with pytest.raises(FinserError):
            read_text(text, folder)
        return
    ours = read_text(text, folder)
    assert same(ours, theirs)
    assert ours["c"].keys() == one.keys() | two.keys() | three.keys()


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(max_size=30), st.text(" \n:-[]{}&*<>!?|'\"%@#0123456789ae.,", max_size=30)))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory, text):
    try:
        read_text(text, tmp_path_factory.getbasetemp())
    except FinserError as error:
        assert "\n" not in str(error)


def test_merge_keys_shorten_a_file(tmp_path):
    text = dump(presets.demo())
    svm, half = "  svm: {model: svm}\n", "  svm_half: {model: svm, speakers: 0.5}\n"
    assert svm + half in text
    shorter = text.replace(svm + half, "  svm: &svm {model: svm}\n  svm_half: {<<: *svm, speakers: 0.5}\n")
    (tmp_path / "params.yaml").write_text(shorter)
    assert load(tmp_path / "params.yaml") == presets.demo()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: {c: 1,\n  c: 2}\n", "read.yaml: key 'c' occurs twice, line 3"),
        ("a: 1\nb: [\n", "read.yaml: not YAML (did not find expected node content, line 3)"),
        ("a: *b\n", "read.yaml: not YAML (found undefined alias, line 1)"),
        ("a: 1\n---\nb: 2\n", "read.yaml: not YAML (but found another document, line 2)"),
        ("a: {b: 2026-11-28}\n", "read.yaml: a.b: a value of type date; found 2026-11-28; put it in quotes if it is text"),
        ("a: 2026-13-28\n", "read.yaml: not YAML (month must be in 1..12"),
        ("a: {1: b}\n", "read.yaml: the key 1 is no text; put it in quotes"),
        ("true: b\n", "read.yaml: the key true is no text; put it in quotes"),
        ("? [1]\n: 2\n", "read.yaml: the key (1,) is no text"),
        ("- 1\n", "read.yaml: holds no keys; expected lines such as `seed: 0`; found a list"),
        ("a: &a {b: *a}\n", "read.yaml: a.b.b is nested more than 20 levels deep, or contains itself"),
        ("a: !!python/object:os.system x\n", "read.yaml: not YAML (could not determine a constructor for the tag"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, text, said):
    with pytest.raises(FinserError) as caught:
        read_text(text, tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


ODD = ["1e-3", "036", "yes", "no", "null", "~", "1_0", "12:30", "2026-11-28", "<<", "a # b", ""]


@settings(deadline=None)
@given(st.one_of(st.sampled_from(ODD), st.text(max_size=12)))
def test_titles_are_written_so_that_they_are_read_as_text(tmp_path_factory, title):
    made = presets.tiny().model_copy(update={"report": Report(title=title)})
    (tmp_path_factory.getbasetemp() / "params.yaml").write_text(dump(made), encoding="utf-8", newline="")
    assert load(tmp_path_factory.getbasetemp() / "params.yaml").report.title == title


def test_all_that_is_wrong_with_a_file_is_said_at_once(values, tmp_path):
    """A line each, in the schema's order."""
    put(values, "train_fin.rms.steps", 0)
    put(values, "split.random_tst", 1)
    put(values, "label.definition", "librosa")
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(FinserError) as raised:
        load(path)
    keys = ["label.definition", "split.random_tst", "train_fin.rms.steps"]
    said = str(raised.value).splitlines()
    assert len(said) == 3 and all(line.startswith(f"{path}: ") for line in said)
    assert sorted(key for key in keys if any(key in line for line in said)) == keys


def test_all_names_that_do_not_fit_are_said_at_once(values):
    put(values, "models", ["svm", "mpl", "svm"])
    values["fetch"].pop("esd")
    with pytest.raises(FinserError) as raised:
        validate(values)
    said = str(raised.value).splitlines()
    assert any("models names 'mpl'" in line and "did you mean 'mlp'?" in line for line in said)
    assert any("corpora names 'esd', which has no source" in line for line in said)
    assert any("models names something twice: svm, mpl, svm" in line for line in said)
    assert len(said) == len(set(said)) == 3


def test_a_pair_of_one_is_too_short(values):
    with pytest.raises(FinserError, match=r"summarise.pairs.0: too short; expected one more"):
        validate(put(values, "summarise.pairs", [["svm"]]))


def test_a_line_per_error_and_none_twice():
    assert lines(FinserErrors([FinserError("a"), FinserError("b", where="c"), FinserError("a")])) == "error: a\nerror: c: b"


FAULTS = {  # independent of each other: key -> its value, and the line that it adds
    "train_classifier.svm.c": ("3", "train_classifier.svm.c: wrong type; expected a number, without quotes; found '3' (text)"),
    "augment.gains": (1, "unknown key 'augment.gains'; did you mean 'gain'?"),
    "folds": ([7], "fold 7 does not exist: split.folds is 5"),
    "train_classifier.mlp": ({"model": "mpl"}, "train_classifier.mlp: no such model; expected model: one of "),
    "pooled": (["ravdess", "ravdess"], "pooled names something twice: ravdess, ravdess"),
    "train_fin.mel": (None, "key 'train_fin.mel' is missing; add `mel: {}` for the default: DVC tracks this key"),
    "seeds": ([], "seeds: empty; expected a list of one or more"),
}


@settings(max_examples=25, deadline=None)
@given(chosen=st.sets(st.sampled_from(sorted(FAULTS)), min_size=1))
def test_faults_of_every_kind_are_listed_together(tmp_path_factory, chosen):
    """Wrong values, contradictions and missing keys at once, and nothing that only follows from another fault."""
    values = yaml.safe_load(dump(presets.demo()))
    values["fusions"], values["fuse_classifiers"], values["summarise"] = [], {}, {"pairs": []}  # they name models
    for key in chosen:
        put(values, key, FAULTS[key][0])
    if "train_fin.mel" in chosen:
        del values["train_fin"]["mel"]
    path = tmp_path_factory.mktemp("faults") / "params.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(FinserErrors) as caught:
        load(path)
    found = [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]
    expected = [FAULTS[key][1] for key in chosen]
    assert len(found) == len(expected) and all(any(line.startswith(said) for line in found) for said in expected), found


CONTRADICTORY = [  # edits of the demo that contradict other keys, or each other
    ("protocols", ["cross_corpus"]),
    ("folds", [1, 2, 7]),
    ("models", ["svm", "mpl", "mlp"]),
    ("train_classifier.svm.corpora", ["ravdess", "tess"]),
    ("train_classifier.mlp.variants", ["gain"]),
    ("fine_tune.small_cnn_pretrained.width", 48),
    ("fine_tune.fin_ensemble.init", "models/weights/audioset"),
    ("pretrain.trunks", ["ast"]),
    ("label.definition", "librosa_default"),
    ("corpora", ["ravdess", "tess", "esd"]),
    ("features.representations", ["statistics"]),
]
NO_VALUE = [{}]  # of no key's type


def keys_of(values: object, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = values.items() if isinstance(values, dict) else ()
    return [*([above] if above else []), *(key for name, value in below for key in keys_of(value, (*above, name)))]


def said_of(values: dict) -> set[str]:
    with pytest.raises(FinserErrors) as caught:
        validate(values)
    return {line.removeprefix("params.yaml: ") for line in str(caught.value).splitlines()}


def without_advice(line: str) -> str:
    """A line without the names that it suggests, which depend on what else the file has."""
    return line.split("; did you mean")[0].split("; known:")[0]


@settings(max_examples=60, deadline=None)
@given(
    edits=st.lists(st.sampled_from(CONTRADICTORY), min_size=1, max_size=4, unique_by=lambda edit: edit[0]),
    faulty=st.lists(st.sampled_from(keys_of(DEMO)), min_size=1, max_size=3),
)
@example(edits=[("protocols", ["cross_corpus"]), ("train_classifier.svm.corpora", ["ravdess", "tess"])], faulty=[("pooled",)])
@example(edits=[("folds", [7])], faulty=[("fetch",)])
def test_faults_add_no_false_line_and_hide_no_contradiction_of_other_keys(edits, faulty):
    """A file with faults has the contradictions that it has without these faults, unless they depend on a faulty key."""
    values = demo_values()
    for key, value in edits:
        put(values, key, value)
    true = contradictions(Fields.model_validate_json(json.dumps(values)))
    for key in faulty:
        if not any(other == key[: len(other)] for other in faulty if other != key):
            put(values, ".".join(key), NO_VALUE)
    found = said_of(values)
    found = {without_advice(line) for line in found}
    assert {without_advice(one.line) for one in true if not any(one.depends_on(key) for key in faulty)} <= found
    added = found - {without_advice(one.line) for one in true}
    assert all(any(".".join(key) in line or line.startswith(f"{'.'.join(key[:-1])}: no such") for key in faulty) for line in added), added


@pytest.mark.parametrize("key", ["model", "source"])
def test_the_kind_of_a_section_decides_what_its_keys_decide(key):
    """Found by hypothesis: a section of an unknown kind is not read, so that its other keys contradict nothing."""
    found = Contradiction("any", ("fine_tune.a.width",))
    assert found.depends_on(("fine_tune", "a", key)) and found.depends_on(("fine_tune", "a"))
    assert not found.depends_on(("fine_tune", "b", key)) and not found.depends_on(("fine_tune", "a", "dropout"))


def test_an_unknown_key_hides_no_contradiction(values):
    put(values, "train_classifier.svm.variants", ["band_limit"])
    put(values, "augment.variants", ["noise"])
    put(values, "train_classifier.svm.cc", 1)
    said = said_of(values)
    assert any("unknown key 'train_classifier.svm.cc'" in line for line in said)
    assert any(line.startswith("train_classifier.svm.variants names 'band_limit'") for line in said)


@pytest.mark.parametrize(
    ("rename", "said"),
    [
        (("train_classifier",), {"unknown key 'train_classifer'; did you mean 'train_classifier'?"}),
        (("train_classifier", "svm_half"), {"train_classifier.SVM-half: wrong value"}),
    ],
)
def test_a_mistyped_section_is_the_only_error(values, tmp_path, rename, said):
    node = reduce(dict.get, rename[:-1], values)
    node["SVM-half" if rename[1:] else "train_classifer"] = node.pop(rename[-1])
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(FinserErrors) as caught:
        load(tmp_path / "params.yaml")
    found = [line.split(": ", 1)[1] for line in str(caught.value).splitlines()]
    assert len(found) == len(said) and all(any(line.startswith(one) for line in found) for one in said), found


@pytest.mark.parametrize(
    ("section", "other"),
    [
        ({"title": "Ravdess"}, "the corpus ravdess"),
        ({"title": "CREMA D"}, "the corpus crema_d"),
        ({"title": "All"}, "the row of totals in the report"),
        ({"title": "b"}, "fetch.b"),
    ],
)
def test_two_corpora_of_one_title_are_refused(values, section, other):
    values["corpora"] += ["a", "b"]
    values["fetch"] |= {"b": {"source": "table"}, "a": {"source": "table", **section}}
    with pytest.raises(FinserError, match=f"fetch.a has the title '{section['title']}', which {other} has, too"):
        validate(values)


def test_under_own_split_folds_limits_no_fold(values):
    put(values, "folds", [12])
    put(values, "split", {"own": {"file": "folds.csv", "checksum": f"sha256:{'0' * 64}"}})
    validate(put(values, "protocols", ["own"]))
    with pytest.raises(FinserError, match="fold 12 does not exist: split.folds is 5"):
        validate(put(values, "protocols", ["own", "speaker"]))


def test_under_own_something_states_a_split(values):
    with pytest.raises(FinserError, match="protocols names own_leaky, but pooled has no own corpus whose table could state a split"):
        validate(put(values, "protocols", ["speaker", "own_leaky"]))
    values["corpora"], values["pooled"] = [*values["corpora"], "mine"], [*values["pooled"], "mine"]
    values["fetch"]["mine"] = {"source": "table"}
    validate(values)


def test_cross_corpus_has_a_fold_for_each_corpus(values):
    names = [f"c{number}" for number in range(7)]
    values["corpora"], values["pooled"] = [*values["corpora"], *names], names
    values["fetch"] |= {name: {"source": "table"} for name in names}
    validate(put(put(values, "protocols", ["cross_corpus"]), "folds", [7]))
