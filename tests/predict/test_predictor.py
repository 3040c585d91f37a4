"""Predictions, against the classifiers that they come from, and against the evaluation of the project."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import soundfile

from finser import Predictor as OfThePackage
from finser import layout
from finser.audio.frames import SR
from finser.audio.shards import read_audio
from finser.config.sections.classifiers import KINDS
from finser.errors import FinserError
from finser.features.labels import features
from finser.features.rows import Row
from finser.models import load, module_of
from finser.predict.hub import Predictor
from finser.predict.predictor import _batches
from finser.predict.sound import Waveform
from finser.scores.calibration import rescale
from finser.scores.predictions import probability_columns

from .conftest import FINAL


@pytest.fixture
def place(project_of_bundles, monkeypatch) -> Path:
    monkeypatch.chdir(project_of_bundles)
    return project_of_bundles / "bundles"


def clips(n: int = 6) -> list[np.ndarray]:
    rows = [row.audio for row in read_audio(layout.shards("ravdess")) if row.variant == "original"]
    return rows[:: len(rows) // n][:n]


@pytest.mark.parametrize("model", FINAL)
def test_probabilities_are_those_of_the_classifier_at_the_bundles_temperature(place, model):
    predictor = Predictor.from_pretrained(str(place / model))
    classifier, _ = load(layout.final(model))
    reader = module_of(classifier.options).reader(classifier.options)
    audio = clips()
    raw = classifier.probabilities([reader.convert(Row("", "original", one, features(one))) for one in audio])
    scaled = np.where(raw > 0, raw, np.nan) ** (1 / predictor.bundle.temperature)  # softmax(log(p) / T), by its definition
    scaled = np.nan_to_num(scaled) / np.nansum(scaled, axis=1, keepdims=True)
    found = list(predictor.predict_all((one, SR) for one in audio))
    np.testing.assert_allclose([list(one.probabilities.values()) for one in found], scaled, atol=1e-9)
    for one, row in zip(found, scaled, strict=True):
        assert one.emotion == predictor.bundle.classes[row.argmax()] and one.confidence == pytest.approx(row.max())
        assert one.unsure == (row.max() < predictor.bundle.threshold)


@pytest.mark.parametrize("model", ["encoder_probe", "encoder", "encoder_tuned"])
def test_a_file_has_the_probabilities_that_evaluation_stored_for_its_clip(place, tmp_path, monkeypatch, model):
    """Outside of the project. Evaluation reads stored statistics of the encoder, and the bundle computes them with its own weights."""
    table = pq.read_table(layout.classifier_result(model, "speaker", 1) / "predictions.parquet")
    wanted = {row["clip_id"]: row for row in table.to_pylist()}
    sounds = {row.clip_id: row.audio for row in read_audio(layout.shards("ravdess")) if row.variant == "original" and row.clip_id in wanted}
    shutil.copytree(place / "of_folds" / model, tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)
    predictor, chosen = Predictor(tmp_path / "bundle"), sorted(sounds.items())[:10]
    assert len(chosen) == 10 and len(predictor.bundle.members) == 1, "one fold and one seed"
    for number, (clip, audio) in enumerate(chosen):
        soundfile.write(f"{number}.wav", audio, SR, subtype="PCM_16")
        raw = np.array([[wanted[clip][column] for column in probability_columns(predictor.bundle.classes)]])
        found = predictor.predict(Path(f"{number}.wav")).probabilities
        np.testing.assert_allclose(list(found.values()), rescale(raw, predictor.bundle.temperature)[0], atol=1e-6)


@pytest.mark.parametrize("model", KINDS)
def test_an_ensemble_of_folds_recognises_its_training_clips(place, model):
    predictor = Predictor(place / "of_folds" / model)
    rows = [row for row in read_audio(layout.shards("ravdess")) if row.variant == "original"][:32]
    found = [one.emotion for one in predictor.predict_all((row.audio, SR) for row in rows)]
    assert np.mean([a == row.emotion for a, row in zip(found, rows, strict=True)]) > 0.8


def test_a_clip_alone_and_among_others(place):
    predictor, audio = Predictor(place / "small_cnn"), clips()
    together = list(predictor.predict_all((one, SR) for one in audio))
    alone = [predictor.predict(one, SR) for one in audio]
    for a, b in zip(together, alone, strict=True):
        assert a.emotion == b.emotion and a.probabilities == pytest.approx(b.probabilities, abs=1e-5)


@pytest.mark.parametrize(("sr", "channels", "subtype"), [(SR, 1, "PCM_16"), (48_000, 2, "PCM_24"), (16_000, 1, "FLOAT")])
def test_a_file_and_its_samples(place, tmp_path, sr, channels, subtype):
    time = np.arange(sr) / sr
    wave = np.stack([0.2 * np.sin(2 * np.pi * 450 * time) * (np.sin(31 * time) > 0)] * channels, 1)
    soundfile.write(tmp_path / "a.wav", wave, sr, subtype=subtype)
    predictor = Predictor(place / "svm")
    file, samples = predictor.predict(tmp_path / "a.wav"), predictor.predict(wave, sr)
    assert (file.path, samples.path) == (str(tmp_path / "a.wav"), "") and file.end == pytest.approx(1, abs=0.001)
    assert file.probabilities == pytest.approx(samples.probabilities, abs=0.02)


def test_windows_of_samples_and_of_a_file(place, tmp_path):
    wave = np.concatenate(clips(8)) / 32768
    soundfile.write(tmp_path / "long.flac", wave, SR)
    predictor = Predictor(place / "svm")
    of_file, of_samples = (list(predictor.predict_windows(*one, length=1, hop=0.5)) for one in ((tmp_path / "long.flac",), (wave, SR)))
    assert [one.start for one in of_file] == [one.start for one in of_samples]
    assert [one.start for one in of_file[:-1]] == [0.5 * number for number in range(len(of_file) - 1)]
    assert of_file[-1].end == pytest.approx(len(wave) / SR, abs=0.001)
    for a, b in zip(of_file, of_samples, strict=True):
        assert a.probabilities == pytest.approx(b.probabilities, abs=1e-3)


def test_raw_pcm_is_predicted_as_it_comes(place):
    wave = np.concatenate(clips(4))
    read = []

    class Stream:
        """Counts what was read."""

        left = wave.astype("<i2").tobytes()

        def read(self, size: int) -> bytes:
            data, self.left = self.left[:size], self.left[size:]
            read.append(len(data))
            return data

    found = Predictor(place / "svm").listen(Stream(), SR, 1, 1)
    first = next(found)
    assert (first.start, first.end) == (0, 1) and sum(read) < 2 * (SR + 2 * 4096), "the first window needs no more than itself"
    assert [one.end for one in found][-1] == pytest.approx(len(wave) / SR, abs=0.001)


def test_a_frame_has_a_row_per_clip(place):
    predictor = Predictor(place / "svm")
    table = predictor.frame([(one, SR) for one in clips(3)])
    assert list(predictor.frame([]).columns) == list(table.columns)
    assert isinstance(table, pd.DataFrame) and len(table) == 3
    assert list(table.columns[:6]) == ["path", "start", "end", "emotion", "confidence", "unsure"] and table.columns[-1] == "warnings"
    np.testing.assert_allclose(table.iloc[:, 6:-1].sum(axis=1), 1)


def test_a_threshold_of_ones_own(place):
    audio = clips(1)[0]
    for threshold, unsure in ((0.0, False), (1.0, True)):
        assert Predictor.from_pretrained(str(place / "svm"), threshold=threshold).predict(audio, SR).unsure is unsure


def test_it_is_saved_as_it_was(place, tmp_path):
    Predictor(place / "small_cnn").save_pretrained(tmp_path / "copy")
    audio = clips(1)[0]
    assert OfThePackage.from_pretrained(str(tmp_path / "copy")).predict(audio, SR) == Predictor(place / "small_cnn").predict(audio, SR)
    names = {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert names == {str(path.relative_to(place / "small_cnn")) for path in (place / "small_cnn").rglob("*") if path.is_file()}


def test_samples_need_a_rate(place):
    predictor = Predictor(place / "svm")
    for function in (predictor.predict, lambda samples: list(predictor.predict_windows(samples))):
        with pytest.raises(FinserError, match=r"samples without their rate; predict\(samples, sr\)"):
            function(clips(1)[0])
    with pytest.raises(FinserError, match="a.wav: a rate beside a file, which states its own"):
        predictor.predict("a.wav", SR)


def test_batches_end_before_they_are_long():
    sounds = [("a", Waveform(np.zeros(1, np.int16), 0.0, seconds)) for seconds in [1] * 70 + [50] * 5]
    assert [len(batch) for batch in _batches(iter(sounds), 32)] == [32, 32, 9, 2]


@pytest.mark.parametrize("name", ["nosuch", "./no/such/folder", "user/name"])
def test_a_bundle_that_is_not_found_is_one_line(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FinserError, match=f"{name}: no such folder"):
        Predictor.from_pretrained(name)


def test_a_mistyped_option_is_an_error(place):
    with pytest.raises(TypeError, match="treshold"):
        Predictor.from_pretrained(place / "svm", treshold=0.9)
    with pytest.raises(FinserError, match="no threshold of a probability; expected 0 to 1; found 70"):
        Predictor.from_pretrained(place / "svm", threshold=70)


def test_a_bundle_is_not_saved_over_itself(place):
    with pytest.raises(FinserError, match="is the bundle itself"):
        Predictor(place / "svm").save_pretrained(place / "svm")
    assert Predictor(place / "svm").bundle.name == "svm"
