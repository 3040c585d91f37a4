import csv
import json

import librosa
import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score

from finser import layout
from finser.audio.frames import frames
from finser.config.params import validate
from finser.config.sections.augment import Augment
from finser.config.sections.classifiers import DEFAULT_VARIANTS
from finser.errors import FinserError
from finser.features.labels import features
from finser.fins.building import build
from finser.fins.evaluation import evaluate_fin
from finser.fins.frames.data import draw
from finser.fins.frames.training_frames import scaled, training_frames
from finser.fins.nets.base import predict
from finser.fins.store import load_fin
from finser.fins.train_fin import FinTask, best_record, train_fin
from finser.seeds import generator
from finser.training import checkpoint
from finser.training.checkpoint import Checkpoint
from finser.training.device import start_torch
from finser.training.loop import fit

ORDER = ("rms", "zcr", "chroma", "mel", "mfcc")  # mfcc needs mel


def clip_of(frame: np.ndarray, tone) -> set[tuple]:
    """(corpus's speaker, clip, variant) of every clip of the fixture that contains this frame."""
    return {
        (speaker, clip, variant)
        for speaker in range(4)
        for clip in range(3)
        for variant in DEFAULT_VARIANTS
        if (frames(tone(speaker, clip, variant)) == frame).all(axis=1).any()
    }


def test_no_frame_of_another_role_is_drawn(project, make_tone):
    """Traced by content, not by names: every drawn frame with sound in it occurs in a clip of a training speaker only."""
    drawn = draw(project, "rms", ("ravdess", "savee"), role="train", variants=project.variants, size=200)
    assert drawn.speakers == {"ravdess/0", "ravdess/1", "savee/0", "savee/1"}
    for frame in drawn.frames[::8]:
        found = clip_of(frame, make_tone)
        assert found and (not frame.any() or {speaker for speaker, _, _ in found} <= {0, 1})


def test_training_takes_every_variant_that_augment_makes(project, make_tone):
    """Traced by content: with `noise` only, no frame of speed_pitch is learned from."""
    for variants in (("noise",), ("speed_pitch", "noise")):
        given = training_frames(project.model_copy(update={"augment": Augment(variants=variants)}), "rms", "cpu")
        drawn, labels = given.train.draw(60, torch.Generator().manual_seed(0))
        found = [clip_of(frame, make_tone) for frame in drawn]
        assert labels is None and {clips.pop()[2] for clips in found if len(clips) == 1} == {"original", *variants}


def test_recordings_hold_every_frame_of_the_training_clips_once(project, make_tone):
    train = training_frames(project, "rms", "cpu").train
    assert train.speakers == {"ravdess/0", "ravdess/1", "savee/0", "savee/1"}
    assert len(train.begins) == 2 * (3 + 2) * 3  # speakers, clips of either corpus, variants
    for begin, count in zip(train.begins, train.counts, strict=True):
        clip = train.pcm[begin : begin + 512 * (count + 3)]
        assert clip_of(clip[512 * (count // 2) :][:2048], make_tone)
        assert not clip[:1024].any()
    drawn, _ = train.draw(4_000, torch.Generator().manual_seed(0))
    assert len(drawn) == 4_000 and len(train.pcm) == 512 * (train.counts.sum() + 3 * len(train.counts))


def test_frames_come_evenly_and_with_their_own_labels(project, make_tone):
    drawn = draw(project, "mel", ("ravdess",), role="test", size=30)
    assert len(drawn.frames) == 30 and drawn.speakers == {"ravdess/3"}
    for clip in range(3):
        framed, mel = frames(make_tone(3, clip, "original")), features(make_tone(3, clip, "original"))["mel"]
        for frame, label in zip(drawn.frames[clip * 10 : clip * 10 + 10], drawn.labels[clip * 10 : clip * 10 + 10], strict=True):
            places = np.flatnonzero((framed == frame).all(axis=1))
            assert any(np.array_equal(mel[place], label) for place in places)


def test_clips_with_too_few_frames_give_what_they_have(project, make_tone):
    drawn = draw(project, "rms", ("ravdess",), role="test", size=10_000)
    assert len(drawn.frames) == sum(len(frames(make_tone(3, clip, "original"))) for clip in range(3))


def test_an_empty_set_is_an_error(project):
    with pytest.raises(FinserError, match="no clips for validation and test"):
        data = project.train_fin.data.model_copy(update={"fold": 2})
        params = project.model_copy(update={"train_fin": project.train_fin.model_copy(update={"data": data})})
        draw(params, "rms", ("ravdess",), role="test", size=10)


@pytest.mark.parametrize("feature", ORDER)
@pytest.mark.parametrize("gain", [0.1, 10.0])
def test_default_labels_follow_the_gain_as_librosa_does(feature, gain):
    """The five plain calls on the scaled signal against those on the signal, scaled."""
    y = (0.05 * generator("gain").standard_normal(4096)).astype(np.float32)
    calls = {
        "rms": lambda y: librosa.feature.rms(y=y),
        "zcr": librosa.feature.zero_crossing_rate,
        "chroma": lambda y: librosa.feature.chroma_stft(y=y, sr=22_050),
        "mel": lambda y: librosa.feature.melspectrogram(y=y, sr=22_050),
        "mfcc": lambda y: librosa.feature.mfcc(y=y, sr=22_050, n_mfcc=20),
    }
    label, expected = (torch.from_numpy(calls[feature](z).T.astype(np.float32)) for z in (y, y * np.float32(gain)))
    found = scaled(feature, label, torch.full((len(label), 1), gain))
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-3 if feature == "mfcc" else 1e-6)


def test_batches_are_disturbed_and_labelled_anew(project):
    given = training_frames(project, "rms", "cpu")
    frames, target = given.batch(500, torch.Generator().manual_seed(0))
    assert torch.allclose(frames.square().mean(dim=1).sqrt(), target[:, 0], rtol=1e-4, atol=1e-8)
    assert target.max() > 3 * given.validation.labels.max()


@pytest.fixture(scope="module")
def trained(project):
    for feature in ORDER:
        train_fin(project, feature)
        evaluate_fin(project, feature)
    return project


@pytest.mark.parametrize("feature", ORDER)
def test_training_learns_and_says_what_it_did(trained, feature):
    fin, config = load_fin(layout.fin(feature))
    enough = {"rms": 0.99, "zcr": 0.5, "chroma": config["r2_init_uniform"] + 0.3, "mel": 0.9, "mfcc": 0.2}
    assert config["r2_validation"] > max(enough[feature], config["r2_init_uniform"])
    assert config["topology"] == "structured" and config["init"] == "random" and config["steps"] <= 400
    assert config["inherits"].get("front_end") == (None if feature in ("rms", "zcr") else "closed_form")
    history = list(csv.DictReader((layout.fin(feature) / "history.csv").open()))
    best = max(history, key=lambda row: float(row["r2_validation"]))
    assert len(history) <= 11 and history[0]["step"] == "0" and int(best["step"]) == config["best_step"]
    assert float(best["r2_validation"]) == config["r2_validation"]  # the weights kept are the best ones
    assert fin.feature == feature and config["n_train_speakers"] == 4
    assert config["device"] == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("feature", ORDER)
def test_evaluation_is_sklearns_r2_on_test_speakers_and_unseen_corpora(trained, feature):
    result = json.loads(layout.fin_result(feature).read_text())
    fin, config = load_fin(layout.fin(feature))
    for name, corpora, role in (("test", ("ravdess", "savee"), "test"), ("unseen", ("esd",), None)):
        drawn = draw(trained, feature, corpora, role=role, size=300)
        predicted = predict(fin, drawn.frames)
        scores = result["unseen"]["esd"] if name == "unseen" else {key[8:]: value for key, value in result.items() if "r2_test_" in key}
        for average, multioutput in (("uniform", "uniform_average"), ("weighted", "variance_weighted")):
            expected = r2_score(drawn.labels.astype(float), predicted.astype(float), multioutput=multioutput)
            assert scores[average] == pytest.approx(expected, rel=1e-6)
        assert (feature == "mel") == ("db_uniform" in scores)
    assert result["params"] == config["params"] and set(result["unseen"]) == {"esd"} and result["n_test_speakers"] == 2
    assert layout.fin_history(feature).read_text() == (layout.fin(feature) / "history.csv").read_text()


def test_without_an_unseen_corpus_there_are_no_figures_of_any(trained, make_params):
    values = trained.model_dump(mode="json")
    values["corpora"] = ["ravdess", "savee"]
    values["fetch"].pop("esd")
    evaluate_fin(make_params(**{name: values[name] for name in ("corpora", "fetch")}), "mel")
    result = json.loads(layout.fin_result("mel").read_text())
    assert result["unseen"] == {}
    evaluate_fin(trained, "mel")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train_fin.rms.steps", 399, "train_fin.rms.steps than params.yaml has; expected 399; found 400"),
        ("train_fin.data.disturbance.noise", 0.1, "train_fin.data.disturbance.noise than params.yaml has; expected 0.1; found 0.3"),
        (
            "augment.variants",
            ["noise", "speed_pitch", "gain"],
            "augment.variants than params.yaml has; expected ..noise., .speed_pitch",
        ),
        ("seed", 1, "seed than params.yaml has; expected 1; found 0"),
    ],
)
def test_a_fin_of_other_settings_is_not_evaluated(trained, make_params, key, value, said):
    values = trained.model_dump(mode="json", exclude_none=True)
    *path, last = key.split(".")
    node = values
    for part in path:
        node = node[part]
    node[last] = value
    with pytest.raises(FinserError, match=f"models/fins/rms: was trained with another value of {said}.*train it again: dvc repro"):
        evaluate_fin(make_params(**values), "rms")
    evaluate_fin(trained, "rms")


@pytest.mark.parametrize("feature", ["rms", "mfcc"])
def test_a_seed_gives_the_same_bytes(trained, feature):
    before = (layout.fin(feature) / "model.safetensors").read_bytes()
    train_fin(trained, feature)
    assert (layout.fin(feature) / "model.safetensors").read_bytes() == before
    train_fin(trained.model_copy(update={"seed": 1}), feature)
    assert (layout.fin(feature) / "model.safetensors").read_bytes() != before
    train_fin(trained, feature)


def test_the_other_definition_trains_too(trained):
    """The labels are then just other targets."""
    values = trained.model_dump(mode="json")
    values["label"]["definition"] = "librosa_default"
    with pytest.raises(
        FinserError,
        match=r"there must be 0 for train_fin.data.disturbance.noise, \S*origin_16k, \S*origin_8k: ",
    ):
        validate(values)
    values["train_fin"]["data"]["disturbance"] |= {"noise": 0, "origin_16k": 0, "origin_8k": 0}
    values["compare_fin"]["end_to_end"]["excitation"] = 0
    train_fin(validate(values), "mfcc")
    assert load_fin(layout.fin("mfcc"))[1]["definition"] == "librosa_default"
    train_fin(trained, "mfcc")


def test_divergence_is_one_line(trained):
    section = trained.train_fin.rms.model_copy(update={"learning_rate": 1.0, "steps": 3})
    fins = trained.train_fin.model_copy(update={"rms": section})
    disturbance = fins.data.disturbance.model_copy(update={"gain_db": float("nan")})
    fins = fins.model_copy(update={"data": fins.data.model_copy(update={"disturbance": disturbance})})
    with pytest.raises(FinserError, match="diverged"):
        train_fin(trained.model_copy(update={"train_fin": fins}), "rms")
    assert load_fin(layout.fin("rms"))[1]["r2_validation"] > 0.5  # the model before is untouched


@pytest.mark.parametrize(("feature", "other"), [("rms", {"seed": 1}), ("zcr", {"augment": Augment(variants=("noise",))})])
def test_a_killed_training_goes_on_and_ends_with_the_same_bytes(trained, feature, other, monkeypatch, capsys):
    right = (layout.fin(feature) / "model.safetensors").read_bytes()
    save, saved = Checkpoint.save, []
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)

    def killed(self, *args) -> None:
        save(self, *args)
        saved.append(self.path)
        if len(saved) == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(Checkpoint, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            train_fin(trained, feature)
    assert saved[0].exists()
    train_fin(trained.model_copy(update=other), feature)  # not its checkpoint: other draws, other clips
    assert "resuming" not in capsys.readouterr().err
    with monkeypatch.context() as context:
        context.setattr(Checkpoint, "save", killed)
        saved.clear()
        with pytest.raises(KeyboardInterrupt):
            train_fin(trained, feature)
    train_fin(trained, feature)
    assert "resuming after epoch 4" in capsys.readouterr().err
    assert (layout.fin(feature) / "model.safetensors").read_bytes() == right
    assert not saved[0].exists()


def test_patience_ends_a_training(trained):
    given = training_frames(trained, "rms", start_torch())
    fin, _ = build("rms", 0)
    section = trained.train_fin.rms.model_copy(update={"learning_rate": 1e-12, "patience": 2, "steps": 400})
    history = fit(FinTask(fin, given, section, 0)).history
    values = [row["r2_validation"] for row in history]
    assert len(history) < 11 and max(values[-2:]) <= max(values[:-2]) and history[values.index(max(values))] == best_record(history)
