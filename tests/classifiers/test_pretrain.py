"""Trunks that imitate librosa's features: what they are taught, by whom, and who begins from them."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import librosa
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy.interpolate import interp1d

from finser import layout
from finser.audio.frames import SR
from finser.audio.shards import read_labels, write_labels
from finser.classifiers import pretrain as pretraining
from finser.classifiers.pretrain import CollatePairs, FeatureRegressor, Pair, Pretraining, at_frames, paired, step_means
from finser.classifiers.train_classifier import train_classifier
from finser.config.params import Params
from finser.config.sections.classifiers import Ast, LogMel, Resnet18, ShallowCnn, SmallCnn, SpectrogramAugment, by_map
from finser.config.sections.fetch import Synthetic
from finser.config.sections.pretrain import Pretrain
from finser.errors import FinserError
from finser.features import filter_banks
from finser.features import log_mel as spectrograms
from finser.features.examples import read_examples
from finser.features.labels import features
from finser.features.rows import Row
from finser.files import read_json, write_json
from finser.models import begin, module_of
from finser.models.network import NetworkClassifier
from finser.splits.protocols import split
from finser.splits.table import read_parts
from finser.training import checkpoint
from finser.training.batches import Batches
from finser.training.loop import fit
from finser.training.record import TrainingRecord

from ..miniature import dumped, prepare


def pretrain(params: Params, trunk: str, protocol: str, fold: int) -> None:
    """The stage, after the one that prepares the trunk."""
    prepare(params, trunk)
    pretraining.pretrain(params, trunk, protocol, fold)


NETS = {
    "shallow_cnn": ShallowCnn(width=4),
    "small_cnn": SmallCnn(width=3),
    "resnet18": Resnet18(width=8),
    "ast": Ast(model_size="nano", frequency_stride=16, time_stride=16, frames=64),
}
EACH = pytest.mark.parametrize("name", NETS)
SHORT = Pretrain(epochs=1, batch_size=16, crop_frames=32, learning_rate=0.01)
NO_MASKS = SpectrogramAugment(band_masks=0, time_masks=0)
ONES = np.ones(162)
PLACE = ("shallow_cnn", "speaker", 1)


@pytest.fixture(scope="session")
def trunks(params: Params) -> Callable[..., Params]:
    """Params whose one model, `taught`, starts from the pretrained encoder of a section; keywords are of `pretrain`."""

    def make(name: str = "shallow_cnn", change: dict | None = None, **options: object) -> Params:
        still = {"epochs": 1, "learning_rate": 1e-9, "weight_decay": 0.0}
        taught = NETS[name].model_copy(update={**still, "init": f"models/pretrained/{name}", **(change or {})})
        sections = {**NETS, "taught": taught}
        values = params.model_dump() | {"models": ("taught",), **dumped(by_map(sections))}
        settings_ = {**SHORT.model_dump(), "trunks": tuple(NETS), **options}
        return Params.model_validate({**values, "pretrain": settings_})

    return make


def contents(trunk: str, protocol: str, fold: int) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in layout.pretrained(trunk, protocol, fold).iterdir()}


def teach(
    classifier: NetworkClassifier,
    train: list[Pair],
    validation: list[Pair],
    settings: Pretrain,
    names: tuple,
    where: Path | None = None,
) -> TrainingRecord:
    return fit(Pretraining(classifier, train, validation, settings, names), where)


def speakers_of(part: str, fold: int = 1) -> set[str]:
    return set(read_parts("speaker", fold, ["ravdess"])[part]["speaker"].to_pylist())


# What a step and a frame are


@given(st.integers(1, 70), st.integers(1, 3), st.integers(1, 40), st.integers(0, 2**31))
def test_step_means_are_means_of_so_many_frames_and_of_what_is_left(t, dim, step, seed):
    x = np.random.default_rng(seed).normal(size=(t, dim))
    padded = np.full((-(-t // step) * step, dim), np.nan)
    padded[:t] = x
    np.testing.assert_allclose(step_means(x, step), np.nanmean(padded.reshape(-1, step, dim), axis=1))


@given(st.integers(2, 20), st.lists(st.floats(-3, 30), min_size=1, max_size=8), st.integers(0, 2**31))
def test_at_frames_is_the_straight_line_between_frames_and_the_end_beyond_them(t, positions, seed):
    x = np.random.default_rng(seed).normal(size=(t, 3))
    held = np.clip(positions, 0, t - 1)
    low = np.minimum(held.astype(int), t - 2)
    share = (held - low)[:, None]
    found = at_frames(x, np.array(positions))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, x[low] * (1 - share) + x[low + 1] * share, atol=1e-6)


# What is given, and what is wanted, of the same frames


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """A second of gliding tones that come and go, between half a second and a third of very soft noise, int16."""
    rng = np.random.default_rng(5)
    time = np.arange(SR) / SR
    loud = 0.4 * np.sin(2 * np.pi * (300 * time + 400 * time**2)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    y = np.concatenate([np.zeros(SR // 2), loud, np.zeros(SR // 3)]) + 1e-3 * rng.standard_normal(SR // 2 + SR + SR // 3)
    return np.round(32767 * y).astype(np.int16)


def librosas(clip: np.ndarray) -> np.ndarray:
    """The 162 features of every frame, by librosa's own functions, shape (t, 162)."""
    y = clip.astype(np.float32) / 32768
    mel = librosa.feature.melspectrogram(y=y, sr=SR)
    decibels = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None)
    rows = [
        np.log(librosa.feature.rms(y=y)),
        librosa.feature.zero_crossing_rate(y=y),
        librosa.feature.chroma_stft(y=y, sr=SR, tuning=0),
        librosa.feature.mfcc(S=decibels, sr=SR, n_mfcc=20),
        decibels,
    ]
    return np.vstack(rows).T


@pytest.mark.parametrize("trim_db", [30.0, 0.0])
def test_a_spectrogram_network_is_taught_the_features_of_the_frames_that_it_sees(clip, trim_db):
    options = ShallowCnn(log_mel=LogMel(trim_db=trim_db))
    module = module_of(options)
    x, y = paired(module.reader(options), module.frame_numbers(options)).convert(Row("a", "original", clip, features(clip)))
    expected, kept = librosas(clip), slice(None)
    if trim_db:
        _, (first, end) = librosa.effects.trim(clip / 32768, top_db=trim_db)
        kept = slice(first // 512 - 2, -(-end // 512) + 2)  # the margin of two frames
        assert kept.start > 0 and kept.stop < len(expected)
    bands = 10 * np.log10(np.power(10, expected[kept, -128:] / 10).reshape(-1, 64, 2).mean(2))
    assert x.shape == bands.shape and y.shape == expected[kept].shape
    inner = slice(3, -3)  # at a clip's very ends librosa's zero-crossing rate repeats a sample where finser has zeros
    np.testing.assert_allclose(x[inner], bands[inner], atol=0.01)
    np.testing.assert_allclose(y[inner], expected[kept][inner], atol=0.02)


def test_ast_is_taught_the_features_at_the_times_of_its_own_frames(clip):
    module = module_of(NETS["ast"])
    x, y = paired(module.reader(NETS["ast"]), module.frame_numbers(NETS["ast"])).convert(Row("a", "original", clip, features(clip)))
    expected = librosas(clip)[2:-2]
    seconds = librosa.frames_to_time(np.arange(2, 2 + len(expected)), sr=SR)
    own = (np.arange(len(x)) * 0.010) + 0.0125  # 25 ms every 10 ms
    inside = (own >= seconds[0]) & (own <= seconds[-1])
    assert x.shape == (1 + (round(len(clip) * 16_000 / SR) - 400) // 160, 128) and y.shape == (len(x), 162)
    np.testing.assert_allclose(y[inside], interp1d(seconds, expected, axis=0)(own[inside]), atol=0.02)


def test_what_ast_hears_begins_when_its_targets_say_so():
    """Noise begins after 0.6 s: half its power is reached in the same frame, but for the grid of librosa's."""
    y = 0.001 * np.random.default_rng(0).standard_normal(SR)
    y[int(0.6 * SR) :] *= 300
    clip = np.round(32767 * y.clip(-1, 1)).astype(np.int16)
    module = module_of(NETS["ast"])
    given_, wanted = paired(module.reader(NETS["ast"]), module.frame_numbers(NETS["ast"])).convert(
        Row("a", "original", clip, features(clip))
    )
    power, target = np.exp(given_.astype(float)).mean(1), np.exp(2 * wanted[:, 0])
    begins_ = [int(np.argmax(one > one[-30:].mean() / 2)) for one in (power, target)]
    assert abs(begins_[0] - 59) <= 1 and abs(begins_[0] - begins_[1]) <= 2


# Crops


def ramps(lengths: list[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Clips that count their frames, input and features alike; every clip begins at a thousand of its own."""
    counted = [1000.0 * number + np.arange(n)[:, None] for number, n in enumerate(lengths)]
    return [(np.repeat(one, 64, 1).astype(np.float32), np.repeat(one, 162, 1)) for one in counted]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 150), min_size=1, max_size=5), st.integers(16, 100), st.sampled_from([4, 32]), st.booleans(), st.integers(0, 99)
)
def test_crops_of_input_and_features_are_of_the_same_frames_and_the_right_steps_count(lengths, crop, step, drawn, seed):
    plain = spectrograms.CollateFrames(np.zeros(64, np.float32), np.ones(64, np.float32))
    collate = CollatePairs(plain, 5 * ONES, 2 * ONES, SimpleNamespace(TIME_STEP=step), crop=crop, masks=NO_MASKS)
    inputs, targets, counts = collate(ramps(lengths), np.random.default_rng(seed) if drawn else None)
    kept = [min(n, crop) if drawn else n for n in lengths]
    assert inputs.shape == (len(lengths), -(-max(kept) // 32) * 32, 64)
    assert targets.shape == (len(lengths), -(-inputs.shape[1] // step), 162) and counts.shape == targets.shape[:2]
    for row, (n, whole) in enumerate(zip(kept, lengths, strict=True)):
        steps = -(-n // step)
        assert counts[row].tolist() == [True] * steps + [False] * (targets.shape[1] - steps)
        assert not inputs[row, n:].any() and not targets[row, steps:].any()
        counted = 2 * targets[row, :steps, 0].numpy() + 5  # z-scores back to frame numbers
        first = counted[0] - (min(step, n) - 1) / 2
        assert 1000 * row <= first <= 1000 * row + whole - n
        frames = first + np.arange(n)
        np.testing.assert_allclose(inputs[row, :n, 0], frames - frames.mean(), atol=1e-2)
        np.testing.assert_allclose(counted, step_means(frames[:, None], step)[:, 0], atol=1e-2)


def test_crops_begin_anywhere():
    plain = spectrograms.CollateFrames(np.zeros(64, np.float32), np.ones(64, np.float32))
    collate = CollatePairs(plain, 0 * ONES, ONES, SimpleNamespace(TIME_STEP=4), crop=16, masks=NO_MASKS)
    rng = np.random.default_rng(0)
    assert {float(collate(ramps([20]), rng)[1][0, 0, 0]) - 1.5 for _ in range(60)} == {0, 1, 2, 3, 4}


def test_only_inputs_of_training_are_masked():
    plain = spectrograms.CollateFrames(np.zeros(64, np.float32), np.ones(64, np.float32))
    draw = np.random.default_rng(0)
    pairs = [(draw.normal(1, 1, (n, 64)).astype(np.float32), draw.normal(size=(n, 162))) for n in (60, 20)]
    made = {}
    for masks in (NO_MASKS, SpectrogramAugment()):
        collate = CollatePairs(plain, 0 * ONES, ONES, SimpleNamespace(TIME_STEP=4), crop=32, masks=masks)
        made[masks.band_masks] = [collate(pairs, np.random.default_rng(3)), collate(pairs, None)]
    (clear, whole), (masked, judged) = made[0], made[2]
    assert all(torch.equal(a, b) for a, b in zip(whole, judged, strict=True)), "validation"
    assert torch.equal(clear[1], masked[1]) and torch.equal(clear[2], masked[2]), "targets"
    hidden = masked[0] != clear[0]
    assert 0.05 < float(hidden.float().mean()) < 0.8 and not masked[0][hidden].any()
    assert all(hidden[row].any() for row in (0, 1))


@EACH
def test_a_trunk_gives_as_many_steps_as_there_are_targets(name):
    net = begin(NETS[name], ("steps",), 8).net
    bands = 128 if name == "ast" else 64
    plain = begin(NETS[name], (), 8).collate(training=False)
    for length in (1, 33, 100):
        pairs = [(np.zeros((n, bands), np.float32), np.zeros((n, 162))) for n in (length, 40)]
        inputs, targets, _ = CollatePairs(plain, 0 * ONES, ONES, net, crop=0, masks=NO_MASKS)(pairs, None)
        steps = net.eval().trunk(inputs)
        assert FeatureRegressor(net, steps.shape[2])(inputs).shape == targets.shape


# What the options do


def batches_of(**options: object) -> tuple[Batches, Batches]:
    """Mini-batches that a trunk is trained on and validated by, of clips of 100 frames without a zero."""
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(-30, 9, (100, 64)).astype(np.float32), rng.normal(size=(100, 162)).astype(np.float32)) for _ in range(8)]
    task = Pretraining(begin(NETS["small_cnn"], ("options",), 8), pairs, pairs, SHORT.model_copy(update=options), ("options",))
    return task.train, task.validation


@pytest.mark.parametrize("crop", [32, 64])
@pytest.mark.parametrize("size", [2, 8])
def test_crops_are_as_long_and_batches_as_large_as_the_section_says(crop, size):
    train, validation = batches_of(crop_frames=crop, batch_size=size)
    assert [tuple(inputs.shape) for inputs, *_ in train.of_epoch(1)] == [(size, crop, 64)] * (8 // size)
    assert [tuple(inputs.shape) for inputs, *_ in validation.of_epoch()] == [(size, 128, 64)] * (8 // size), (
        "whole clips, and their padding"
    )


def test_a_trunk_is_taught_with_masks_and_judged_without():
    train, validation = batches_of()
    assert 0.05 < float(torch.cat([inputs for inputs, *_ in train.of_epoch(1)]).eq(0).float().mean()) < 0.8
    assert not any(inputs[:, :100].eq(0).any() for inputs, *_ in validation.of_epoch())


@pytest.mark.parametrize("change", [{"learning_rate": 0.02}, {"weight_decay": 0.0}, {"epochs": 2}])
def test_an_option_of_teaching_changes_the_trunk(change):
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(40, 64)).astype(np.float32), rng.normal(size=(40, 162)).astype(np.float32)) for _ in range(4)]
    weights = []
    for options in ({}, change):
        classifier = begin(NETS["shallow_cnn"], ("options",), 8)
        teach(classifier, pairs, pairs, SHORT.model_copy(update={"batch_size": 2, **options}), ("options",))
        weights.append(classifier.net.convolutions[0].weight)
    assert not torch.equal(*weights)


# The stage


@pytest.mark.parametrize(
    ("options", "corpora", "variants"),
    [
        ({}, ["ravdess", "tess"], ["original"]),
        ({"corpora": ("tess",)}, ["tess"], ["original"]),
        ({"variants": ("original", "noise")}, ["ravdess", "tess"], ["noise", "original"]),
    ],
)
def test_a_trunk_hears_the_rows_that_the_section_names(project, second_corpus, trunks, monkeypatch, options, corpora, variants):
    """So many clips of the training part, in every variant once; validation clips are originals."""
    names = ("ravdess", "tess")
    both = {"corpora": names, "pooled": names, "fetch": dict.fromkeys(names, Synthetic())}
    values = trunks().model_dump()
    params = Params.model_validate({**values, **both, "pretrain": {**values["pretrain"], **options}})
    split(params, "speaker")
    parts, heard = read_parts("speaker", 1, names), []
    monkeypatch.setattr(pretraining, "read_examples", lambda *given: (heard.append(read_examples(*given)), heard[0])[1])
    pretrain(params, *PLACE)
    for part, expected in (("train", variants), ("validation", ["original"])):
        clips = [row["clip_id"] for row in parts[part].to_pylist() if row["corpus"] in corpora]
        found = zip(heard[0][part].clip_ids, heard[0][part].variants, strict=True)
        assert sorted(found) == sorted((clip, variant) for clip in clips for variant in expected)
    speakers = read_json(layout.pretrained(*PLACE) / "config.json")["speakers"]
    assert sorted({speaker.split("/")[0] for speaker in speakers}) == corpora


def alter_labels(corpus: str) -> None:
    """Labels as another definition would give them."""
    rows = [
        replace(row, features={name: 1.5 * values for name, values in row.features.items()}) for row in read_labels(layout.labels(corpus))
    ]
    write_labels(layout.labels(corpus), rows)


@pytest.mark.parametrize("name", ["shallow_cnn", "ast"])
def test_other_labels_than_the_listed_ones_are_refused(project, trunks, name):
    """They are the targets, also where the network's input is stored."""
    params = trunks()
    prepare(params, name)
    alter_labels("ravdess")
    with pytest.raises(FinserError, match=r"^data/labels/ravdess/part-00000\.parquet: not the file that .* lists; .*dvc repro$"):
        pretraining.pretrain(params, name, "speaker", 1)


@pytest.mark.parametrize("name", ["shallow_cnn", "ast"])
def test_a_trunk_may_learn_from_corpora_that_its_section_leaves_out(project, second_corpus, trunks, name):
    """Their files are listed, too; the classifier of the section does not depend on them."""
    names = ("ravdess", "tess")
    values = trunks(corpora=("ravdess",)).model_dump() | {"corpora": names, "pooled": names, "fetch": dict.fromkeys(names, Synthetic())}
    values["train_classifier"][name]["corpora"], values["pretrain"]["corpora"] = ("ravdess",), ("tess",)
    params = Params.model_validate(values)
    split(params, "speaker")
    pretrain(params, name, "speaker", 1)
    initial = (layout.initial(name) / "config.json").read_bytes()
    alter_labels("tess")
    with pytest.raises(FinserError, match=r"^data/labels/tess/part-00000\.parquet: not the file that .* lists; .*dvc repro$"):
        pretraining.pretrain(params, name, "speaker", 1)
    pretrain(params, name, "speaker", 1)
    assert (layout.initial(name) / "config.json").read_bytes() == initial


def test_stored_filter_banks_are_not_computed_again(project, trunks, monkeypatch):
    monkeypatch.setattr(filter_banks, "of_row", lambda _: pytest.fail("computed again"))
    params = trunks()
    prepare(params, "ast")
    pretraining.pretrain(params, "ast", "speaker", 1)


@EACH
def test_a_trunk_learns_and_a_classifier_begins_from_it(project, trunks, name):
    longer = {"shallow_cnn": 4, "small_cnn": 5, "resnet18": 8, "ast": 24}
    params = trunks(name, epochs=longer[name], batch_size=8)
    pretrain(params, name, "speaker", 1)
    config = read_json(layout.pretrained(name, "speaker", 1) / "config.json")
    r2 = [record["validation_r2"] for record in config["history"]]
    assert r2[-1] > 0.25 and r2[-1] > r2[0] and len(r2) == longer[name]
    assert set(config["speakers"]) == speakers_of("train") and not speakers_of("test") & set(config["speakers"])
    assert (config["trunk"], config["protocol"], config["fold"]) == (name, "speaker", 1)
    assert 0 < read_json(layout.training_time("pretrain", name, "speaker", 1))["seconds_train"] < 600
    prepare(params, "taught")
    train_classifier(params, "taught", "speaker", 1, 0)
    assert_begun_from(layout.pretrained(name, "speaker", 1), 1)


def learned(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the statistics of batch normalisation, which every training takes anew."""
    return {key: tensor for key, tensor in tensors.items() if "running" not in key and "num_batches" not in key}


def assert_begun_from(folder: Path, fold: int) -> None:
    trunk = learned(load_file(folder / "model.safetensors"))
    after = load_file(layout.classifier("taught", "speaker", fold, 0) / "model.safetensors")
    assert len(trunk) >= 5
    for key, tensor in trunk.items():
        torch.testing.assert_close(after[key], tensor, rtol=1e-5, atol=1e-6)


def test_a_fold_begins_from_its_own_trunk(project, trunks):
    params = trunks()
    for fold in (1, 2):
        pretrain(params, "shallow_cnn", "speaker", fold)
    prepare(params, "taught")
    for fold, other in ((1, 2), (2, 1)):
        train_classifier(params, "taught", "speaker", fold, 0)
        assert_begun_from(layout.pretrained("shallow_cnn", "speaker", fold), fold)
        with pytest.raises(AssertionError):
            assert_begun_from(layout.pretrained("shallow_cnn", "speaker", other), fold)


def test_another_folds_trunk_is_not_taken_and_neither_are_random_weights(project, trunks):
    params = trunks()
    with pytest.raises(FinserError, match=r"^models/pretrained/shallow_cnn: no weights; run the stage") as error:
        prepare(params, "taught")
    assert "\n" not in str(error.value)
    pretrain(params, "shallow_cnn", "speaker", 2)
    prepare(params, "taught")
    for protocol, fold in (("speaker", 1), ("random", 2)):
        with pytest.raises(FinserError, match=f"models/initial/taught/{protocol}/{fold}.*no such file.*dvc repro") as error:
            train_classifier(params, "taught", protocol, fold, 0)
        assert "\n" not in str(error.value)


def test_a_trunk_that_heard_a_test_speaker_is_refused(project, trunks):
    """A split that was made again, after the trunk was taught."""
    params = trunks()
    pretrain(params, *PLACE)
    path = layout.pretrained(*PLACE) / "config.json"
    tested = min(speakers_of("test"))
    write_json(path, {**read_json(path), "speakers": [tested]})
    prepare(params, "taught")
    with pytest.raises(FinserError, match=f"its encoder was pretrained on test speakers: {tested} .1 in all.*dvc repro"):
        train_classifier(params, "taught", "speaker", 1, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"options": {"learning_rate": 0.02}}, "pretrain.learning_rate than params.yaml has; expected 0.02; found 0.01"),
        ({"options": {"masks": {"band_masks": 1}}}, "pretrain.masks.band_masks than params.yaml has; expected 1; found 2"),
        (
            {"trunk": {"dropout": 0.5}},
            "train_classifier.shallow_cnn.dropout than params.yaml has; expected 0.5; found 0.4",
        ),
    ],
)
def test_a_trunk_of_other_settings_is_refused(project, trunks, change, said):
    params = trunks()
    pretrain(params, *PLACE)
    prepare(params, "taught")
    train_classifier(params, "taught", "speaker", 1, 0)
    sections = dict(params.train_classifier)
    sections["shallow_cnn"] = sections["shallow_cnn"].model_copy(update=change.get("trunk", {}))
    masks = {**params.pretrain.masks.model_dump(), **change.get("options", {}).get("masks", {})}
    settings_ = {**params.pretrain.model_dump(), **change.get("options", {}), "masks": masks}
    other = params.model_copy(update={"train_classifier": sections, "pretrain": Pretrain(**settings_)})
    with pytest.raises(FinserError, match=f"models/initial/taught/speaker/1: was trained with another value of {said}; run: dvc repro"):
        train_classifier(other, "taught", "speaker", 1, 0)


def test_a_trunk_of_another_shape_is_refused(project, trunks):
    params = trunks()
    pretrain(params, *PLACE)
    prepare(params, "taught")
    wider = params.fine_tune["taught"].model_copy(update={"width": 5})  # past the check of params.yaml
    params = params.model_copy(update={"fine_tune": {"taught": wider}})
    with pytest.raises(FinserError, match="models/initial/taught: was prepared with another value of width than .*dvc repro"):
        train_classifier(params, "taught", "speaker", 1, 0)
    prepare(params, "taught")
    with pytest.raises(FinserError, match=r"weights of another topology.*size mismatch") as error:
        train_classifier(params, "taught", "speaker", 1, 0)
    assert "\n" not in str(error.value)


@EACH
def test_a_killed_pretraining_goes_on_and_leaves_no_checkpoint(project, trunks, monkeypatch, name):
    params, place, kept = trunks(epochs=4), (name, "speaker", 1), layout.checkpoint("pretrain", name, "speaker", "1")
    pretrain(params, *place)
    whole = contents(*place)
    shutil.rmtree(layout.pretrained(*place))
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    batches, begun = Pretraining.batches, []

    def fragile(self, epoch):
        assert epoch <= 2 or len(begun) > 2, "killed"
        begun.append(epoch)
        return batches(self, epoch)

    monkeypatch.setattr(Pretraining, "batches", fragile)
    with pytest.raises(AssertionError, match="killed"):
        pretrain(params, *place)
    assert kept.exists() and not layout.pretrained(*place).exists()
    begun.append(0)
    pretrain(params, *place)
    assert begun == [1, 2, 0, 3, 4] and contents(*place) == whole and not kept.exists()
    layout.checkpoint("pretrain", name, "speaker", "1").parent.rmdir()  # nothing else was left there


@pytest.mark.parametrize("change", [{"learning_rate": 0.02}, {"center": "cmn"}])
def test_a_pretraining_of_other_settings_begins_anew(monkeypatch, tmp_path, change):
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    pairs, begun, batches = ramps([40, 60]), [], Pretraining.batches
    monkeypatch.setattr(Pretraining, "batches", lambda self, epoch: (begun.append(epoch), batches(self, epoch))[1])
    options, kept = ShallowCnn(width=4), tmp_path / "kept"
    for _ in range(2):
        teach(begin(options, ("a",), 8), pairs, pairs, SHORT, ("a",), kept)
    assert begun == [1], "the second was over"
    if "center" in change:
        options = ShallowCnn(width=4, log_mel=LogMel(**change))
    teach(begin(options, ("a",), 8), pairs, pairs, SHORT.model_copy(update=change if "learning_rate" in change else {}), ("a",), kept)
    assert begun == [1, 1]


def test_more_may_validate_than_train():
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(n, 64)).astype(np.float32), rng.normal(size=(n, 162)).astype(np.float32)) for n in (40, 70, 21, 90)]
    assert len(teach(begin(NETS["shallow_cnn"], ("few",), 8), pairs[:1], pairs, SHORT, ("few",)).history) == 1


def test_the_output_layer_is_drawn_by_the_names():
    pairs, drawn = ramps([40, 60]), []
    for names in (("a", 0), ("a", 0), ("a", 1)):
        drawn.append(Pretraining(begin(NETS["shallow_cnn"], ("same",), 8), pairs, pairs, SHORT, names).net.out.weight)
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_the_same_bytes_twice_and_others_with_another_seed(project, trunks):
    made = []
    for seed in (0, 0, 1):
        pretrain(trunks().model_copy(update={"seed": seed}), *PLACE)
        made.append(contents(*PLACE))
    assert made[0] == made[1] and set(made[0]) == {"config.json", "model.safetensors"}
    assert made[0]["model.safetensors"] != made[2]["model.safetensors"]


def test_no_emotion_is_read(project, trunks, relabel):
    pretrain(trunks(), *PLACE)
    before = contents(*PLACE)
    clips = pq.read_table(layout.clips("ravdess"))
    shuffled = np.random.default_rng(0).permutation(clips["emotion"].to_pylist()).tolist()
    emotions = dict(zip(clips["clip_id"].to_pylist(), shuffled, strict=True))
    relabel(emotions)
    table = pq.read_table(layout.split("speaker"))
    rows = [{**row, "emotion": emotions[row["clip_id"]]} for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, table.schema), layout.split("speaker"))
    pretrain(trunks(), *PLACE)
    assert contents(*PLACE) == before


@pytest.mark.parametrize(("part", "same"), [("test", (True, True)), ("validation", (True, False)), ("train", (False, False))])
def test_only_training_clips_teach_only_validation_clips_judge_and_test_clips_do_nothing(project, trunks, part, same):
    pretrain(trunks(), *PLACE)
    before = contents(*PLACE)
    changed = set(read_parts("speaker", 1, ["ravdess"])[part]["clip_id"].to_pylist())
    rows = [
        replace(row, features={name: values[::-1] * 1.5 for name, values in row.features.items()}) if row.clip_id in changed else row
        for row in read_labels(layout.labels("ravdess"))
    ]
    write_labels(layout.labels("ravdess"), rows)
    pretrain(trunks(), *PLACE)
    after = contents(*PLACE)
    assert (after["model.safetensors"] == before["model.safetensors"], after["config.json"] == before["config.json"]) == same


def test_explained_variance_is_of_the_steps_that_count():
    """Against scikit-learn, on what the network gave in the only epoch."""
    from sklearn.metrics import r2_score

    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(n, 64)).astype(np.float32), rng.normal(size=(n, 162)).astype(np.float32)) for n in (40, 70, 21, 90)]
    task = Pretraining(begin(NETS["shallow_cnn"], ("r2",), 8), pairs, pairs, SHORT, ("r2",))
    history = fit(task).history
    with torch.no_grad():
        found, wanted = (steps.numpy() for steps in task.validation_steps())
    assert len(found) == 10 + 18 + 6 + 23
    assert history[-1]["validation_r2"] == pytest.approx(r2_score(wanted, found, multioutput="variance_weighted"), abs=1e-5)


def test_a_first_clip_of_one_step_can_be_taught():
    """32 bands and fewer than 32 frames leave ResNet-18 a single cell, of which batch normalisation can take no variance."""
    options = Resnet18(width=8, log_mel=LogMel(bands=32))
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(n, 32)).astype(np.float32), rng.normal(size=(n, 162)).astype(np.float32)) for n in (20, 90)]
    classifier = begin(options, ("short",), 8)
    assert len(teach(classifier, pairs, pairs, SHORT.model_copy(update={"crop_frames": 64}), ("short",)).history) == 1


def test_statistics_of_batches_come_from_batches_alone():
    """The first clip is looked at before training, to learn how wide the trunk is: it must leave no trace."""
    classifier = begin(NETS["shallow_cnn"], ("trace",), 8)
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(40, 64)).astype(np.float32), rng.normal(size=(40, 162)).astype(np.float32)) for _ in range(6)]
    teach(classifier, pairs, pairs, SHORT.model_copy(update={"batch_size": 2, "epochs": 2}), ("trace",))
    assert int(classifier.net.norms[0].num_batches_tracked) == 2 * 3
