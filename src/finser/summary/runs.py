"""Results of classifiers on the test clips of a fold: scores, predictions of every seed, training curves, times."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pyarrow.compute as pc

from finser import layout
from finser.config.params import Params
from finser.emotions import numbers
from finser.errors import FinserError
from finser.files import read_json
from finser.scores.intervals import corpus_of, over_seeds, per_speaker
from finser.scores.metrics import confusion_matrix
from finser.scores.predictions import check_classes, probability_columns
from finser.summary.reading import Curve, read_columns, read_figures, read_history

UAR_TOLERANCE = 1e-3  # metrics.json may be rounded
INTERVALS = tuple(f"{name}_ci_{end}" for name in ("uar", "wa", "f1_macro") for end in ("low", "high", "centre"))
CALIBRATION = ("temperature", "ece", "ece_scaled", "nll", "nll_scaled")
TEST_KEYS = (
    "wa",
    "uar",
    "f1_macro",
    "uar_seeds",
    "temperature_seeds",
    "seeds",
    *INTERVALS,
    "interval_corpora",
    *CALIBRATION,
    "n_test",
    "n_test_speakers",
)
TRAINING_KEYS = (
    "params",
    "epochs",
    "seed",
    "device",
    "trained_under",
    "noise",
    "n_train",
    "n_validation",
    "n_train_speakers",
    "n_test_speakers_heard_by_fins",
)
ENCODER_KEYS = ("found", "encoder_params")  # of classifiers on an encoder
TIMES = ("ms_per_clip", "ms_from_samples")
FUSION_KEYS = (*TEST_KEYS, "weights", "n_test_speakers_heard_by_fins")
AGAIN = "run evaluate_classifier again"


@dataclass(frozen=True, eq=False)
class Tested:
    """Test clips, and the predictions of the classifiers of all seeds.

    Attributes
    ----------
    clip_ids, speakers : np.ndarray
        Text, shape (n,).
    truth : np.ndarray
        Class numbers, shape (n,).
    predicted : np.ndarray
        Class numbers, shape (seeds, n).
    probabilities : np.ndarray
        Shape (seeds, n, classes).
    classes : tuple of str
        The classes, in their order.
    """

    clip_ids: np.ndarray
    speakers: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.truth)

    @cached_property
    def corpora(self) -> np.ndarray:
        """Corpus of every clip, shape (n,)."""
        return np.array([corpus_of(speaker) for speaker in self.speakers], str)

    @cached_property
    def confusions(self) -> np.ndarray:
        """Test clips per seed, shape (seeds, classes, classes): rows = truth, columns = prediction."""
        return np.stack([confusion_matrix(self.truth, predicted, len(self.classes)) for predicted in self.predicted])

    @cached_property
    def counts(self) -> dict[str, np.ndarray]:
        """Confusion matrices of each corpus, seed and speaker; see :func:`finser.scores.intervals.per_speaker`."""
        return per_speaker(self.truth, self.predicted, self.speakers, len(self.classes))

    @property
    def uars(self) -> np.ndarray:
        """UAR of each seed, the mean over the corpora, shape (seeds,)."""
        return over_seeds(self.counts)["uar"]

    def where(self, mask: np.ndarray) -> "Tested":
        """The clips of a boolean mask of shape (n,)."""
        kept = (array[mask] for array in (self.clip_ids, self.speakers, self.truth))
        return Tested(*kept, self.predicted[:, mask], self.probabilities[:, mask], self.classes)

    def of(self, speakers: Sequence[str]) -> "Tested":
        """The clips of some speakers."""
        return self.where(np.isin(self.speakers, list(speakers)))


@dataclass(frozen=True)
class Run:
    """A classifier with all its seeds on one fold; or a late fusion, which has none of TRAINING_KEYS.

    Attributes
    ----------
    figures : Mapping
        Every key of metrics.json, the mean over the seeds of seconds_train and seconds_per_epoch, ms_per_clip and ms_from_samples.
    history : Curve or None
        Training curves of all seeds; the column ``seed`` identifies them.
    """

    model: str
    protocol: str
    fold: int
    figures: Mapping[str, Any]
    tested: Tested
    history: Curve | None


def read_run(params: Params, model: str, protocol: str, fold: int) -> Run:
    """Read scores, predictions, training curves and times of a classifier on a fold.

    Raises
    ------
    FinserError
        A file is missing, is not readable or lacks a key; the predictions do not agree with the number of clips or the UAR of
        metrics.json; or the seeds are not those of `params`.
    """
    folder = layout.classifier_result(model, protocol, fold)
    keys = TEST_KEYS + TRAINING_KEYS + (ENCODER_KEYS if params.classifiers[model].needs_encoder else ())
    run, seeds = _read_tested(params, folder, (model, protocol, fold), keys), params.seeds_of(model)
    if run.figures["seeds"] != list(seeds):
        raise FinserError("of other seeds than params.yaml's", where=folder, expected=list(seeds), found=run.figures["seeds"], do=AGAIN)
    times = [read_json(layout.training_time("train_classifier", model, protocol, fold, seed)) for seed in seeds]
    taken = {key: fmean(one[key] for one in times) for key in ("seconds_train", "seconds_per_epoch")}
    taken |= read_figures(layout.evaluation_time(model, protocol, fold), TIMES)
    return Run(model, protocol, fold, {**run.figures, **taken}, run.tested, read_history(folder / "history.csv"))


def read_fusion(params: Params, fusion: str, protocol: str, fold: int) -> Run:
    """Read scores, weights and predictions of a late fusion on a fold; errors as in :func:`read_run`."""
    return _read_tested(params, layout.fusion_result(fusion, protocol, fold), (fusion, protocol, fold), FUSION_KEYS)


def check_corpora(run: Run, corpora: frozenset[str]) -> None:
    """Raise :class:`FinserError` if a run was tested on a corpus outside `corpora`: params.yaml has changed since."""
    others = sorted(set(run.tested.corpora) - corpora)
    if others:
        what = f"{run.model}, {run.protocol}, fold {run.fold} was tested on {', '.join(others)}"
        raise FinserError(what, where="results", expected=", ".join(sorted(corpora)), do="params.yaml has changed since: dvc repro")


def _read_tested(params: Params, folder: Path, item: tuple[str, str, int], keys: tuple[str, ...]) -> Run:
    """Read metrics.json, which must have `keys`, and predictions.parquet in `folder`."""
    figures = read_figures(folder / "metrics.json", keys)
    tested = read_predictions(folder / "predictions.parquet", figures["seeds"], params.emotions)
    _agree(tested, figures, folder)
    return Run(*item, figures, tested, None)


def read_predictions(path: Path, seeds: Sequence[int], classes: tuple[str, ...]) -> Tested:
    """Read the predictions of `seeds`, in this order; clips are in the order of their names.

    Raises
    ------
    FinserError
        The file is not readable, is of other `classes`, names an unknown emotion, lacks a seed, or its seeds have different clips.
    """
    check_classes(path, classes, AGAIN)
    columns = ["clip_id", "speaker", "emotion", "predicted", *probability_columns(classes), "seed"]
    table = read_columns(path, columns)
    found = sorted(set(table["seed"].to_pylist()))
    if found != sorted(seeds):
        raise FinserError("has other seeds than its metrics.json", where=path, expected=sorted(seeds), found=found, do=AGAIN)
    tables = [table.filter(pc.equal(table["seed"], seed)).sort_by("clip_id") for seed in seeds]
    first = tables[0]
    if any(one.select(columns[:3]) != first.select(columns[:3]) for one in tables):
        raise FinserError("its seeds were tested on different clips", where=path, do=AGAIN)
    probabilities = [np.stack([one[column].to_numpy() for column in columns[4:-1]], axis=1) for one in tables]  # (n, classes) each
    return Tested(
        np.array(first["clip_id"].to_pylist(), str),
        np.array(first["speaker"].to_pylist(), str),
        _numbers(first["emotion"].to_pylist(), classes, path),
        np.stack([_numbers(one["predicted"].to_pylist(), classes, path) for one in tables]),
        np.stack(probabilities),
        classes,
    )


def together(tested: Sequence[Tested]) -> Tested:
    """Join the test clips of several folds."""
    flat = (np.concatenate([getattr(one, name) for one in tested]) for name in ("clip_ids", "speakers", "truth"))
    by_seed = (np.concatenate([getattr(one, name) for one in tested], axis=1) for name in ("predicted", "probabilities"))
    return Tested(*flat, *by_seed, tested[0].classes)


def _numbers(names: list[str], classes: tuple[str, ...], where: Path) -> np.ndarray:
    return np.array(numbers(names, classes, where, AGAIN), np.int64)


def _agree(tested: Tested, figures: dict, folder: Path) -> None:
    """Raise :class:`FinserError` if metrics.json does not agree with its predictions: one of them is stale."""
    uars = tested.uars
    again = {"n_test": len(tested), "uar": float(uars.mean()), **{f"uar_seeds {k}": float(value) for k, value in enumerate(uars)}}
    stated = {**figures, **{f"uar_seeds {k}": value for k, value in enumerate(figures["uar_seeds"])}}
    for key, value in again.items():
        if not math.isclose(value, stated.get(key, math.nan), abs_tol=UAR_TOLERANCE):
            what = f"metrics.json and predictions.parquet disagree on {key}"
            raise FinserError(what, where=folder, expected=value, found=stated.get(key), do=AGAIN)
