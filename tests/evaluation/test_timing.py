"""Time from samples to probabilities: the same probabilities as from stored inputs, and a clock of the test's own."""

from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from finser import layout
from finser.audio.shards import read_audio
from finser.config.sections.classifiers import KINDS
from finser.emotions import EMOTIONS
from finser.evaluation import timing
from finser.evaluation.evaluate_classifier import evaluate_classifier
from finser.evaluation.timing import SAMPLES, ms_from_samples, probabilities_of
from finser.features.examples import read_examples
from finser.features.rows import Reader
from finser.files import read_json
from finser.models import load, module_of
from finser.splits.table import read_parts

PLACE = ("speaker", 1)


def test_part() -> object:
    return read_parts(*PLACE, ["ravdess"])["test"]


test_part.__test__ = False


@pytest.mark.parametrize("model", KINDS)
def test_what_is_timed_gives_the_probabilities_of_the_evaluation(finished, params, model):
    """The oracle is predictions.parquet, whose inputs were stored before; only samples and models are left here."""
    clips = read_examples(SAMPLES, {"test": test_part()}, {"test": ("original",)}, EMOTIONS)["test"]
    for folder in ("data/features", "data/labels", "data/shards"):
        (finished / folder).rename(finished / f"{folder}_away")
    classifier, _ = load(layout.classifier(model, *PLACE, 0))
    reader = module_of(params.classifiers[model]).reader(params.classifiers[model])
    found = dict(zip(clips.clip_ids, probabilities_of(classifier, reader, clips, "frame"), strict=True))
    rows = pq.read_table(layout.classifier_result(model, *PLACE) / "predictions.parquet").to_pylist()
    assert len(rows) == len(found)
    expected = [[row[f"p_{emotion}"] for emotion in EMOTIONS] for row in rows]
    np.testing.assert_allclose([found[row["clip_id"]] for row in rows], expected, atol=2e-4)


@pytest.mark.parametrize("model", ["encoder_probe", "encoder"])
def test_inputs_that_are_scaled_by_speaker_are_timed_and_scaled(project, altered, run, model):
    asked = altered(model, normalise="speaker", **({"epochs": 2} if model == "encoder" else {}))
    run(asked, model)
    assert read_json(layout.evaluation_time(model, *PLACE))["ms_from_samples"] > 0
    clips = read_examples(SAMPLES, {"test": test_part()}, {"test": ("original",)}, EMOTIONS)["test"]
    classifier, _ = load(layout.classifier(model, *PLACE, 0))
    found = probabilities_of(classifier, module_of(asked.classifiers[model]).reader(asked.classifiers[model]), clips, "frame")
    rows = {row["clip_id"]: row for row in pq.read_table(layout.classifier_result(model, *PLACE) / "predictions.parquet").to_pylist()}
    expected = [[rows[clip][f"p_{emotion}"] for emotion in EMOTIONS] for clip in clips.clip_ids]
    np.testing.assert_allclose(found, expected, atol=2e-4)  # all test clips of a speaker, as in the evaluation


class Clock:
    """Time passes only when the test advances it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.batches: list[int] = []

    def perf_counter(self) -> float:
        return self.now

    def convert(self, row) -> np.ndarray:
        self.now += 0.25
        return row.audio

    def probabilities(self, inputs: list) -> np.ndarray:
        self.now += 100.0 if not self.batches else 0.5 * len(inputs)  # the first time, something is loaded
        self.batches.append(len(inputs))
        return np.full((len(inputs), 8), 0.125)


@pytest.mark.parametrize("n", [1, 5, 16, 17, 32])
def test_the_time_is_that_of_conversion_and_classifier_after_one_clip_without_timing(project, monkeypatch, n):
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    monkeypatch.setattr(timing, "features", lambda samples, definition, names: clock.__setattr__("now", clock.now + 0.125) or {})
    parts = test_part().slice(0, n)
    assert parts.num_rows == n
    reader = Reader(clock.convert)
    assert ms_from_samples(SimpleNamespace(probabilities=clock.probabilities), reader, parts, EMOTIONS, "frame") == 875.0
    assert clock.batches == [1, min(n, 16)]


def test_clips_are_spread_over_the_test_part(project, monkeypatch):
    seen = []
    reader = Reader(lambda row: seen.append(row.audio))
    parts = test_part()
    ms_from_samples(SimpleNamespace(probabilities=len), reader, parts, EMOTIONS, "frame")
    heard = {row.audio.tobytes(): row.clip_id for row in read_audio(layout.shards("ravdess")) if row.variant == "original"}
    places = sorted(parts["clip_id"].to_pylist().index(heard[audio.tobytes()]) for audio in seen[1:])
    assert len(places) == 16 and (places[0], places[-1]) == (0, parts.num_rows - 1)
    assert max(np.diff(places)) - min(np.diff(places)) <= 1


def test_definition_and_features_are_those_that_are_asked_for(project, monkeypatch):
    asked = []
    monkeypatch.setattr(timing, "features", lambda samples, definition, names: asked.append((definition, names)) or {})
    ms_from_samples(SimpleNamespace(probabilities=len), Reader(lambda row: 0, ("mel", "rms")), test_part(), EMOTIONS, "librosa_default")
    assert set(asked) == {("librosa_default", ("mel", "rms"))} and len(asked) == 17


def test_both_times_are_written_apart_from_the_figures(finished, params):
    evaluate_classifier(params, "encoder", *PLACE)
    times = read_json(layout.evaluation_time("encoder", *PLACE))
    assert set(times) == {"ms_per_clip", "ms_from_samples"} and times["ms_from_samples"] > times["ms_per_clip"] > 0
    figures = read_json(layout.classifier_result("encoder", *PLACE) / "metrics.json")
    assert not set(times) & set(figures)
