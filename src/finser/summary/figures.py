"""Scores of one model under one protocol, over the test clips of all folds. Pure functions of runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean, median
from typing import Any

import numpy as np

from finser.scores.calibration import reliability, rescale
from finser.scores.intervals import Estimate, differences, estimates, over_seeds, per_speaker
from finser.scores.metrics import f1s, precisions, recalls
from finser.summary.layers import layers_of
from finser.summary.runs import CALIBRATION, TIMES, Run, Tested

BINS = 10  # of confidence, in the reliability curves
PER_CLASS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"precision": precisions, "recall": recalls, "f1": f1s}


def of_model(runs: Sequence[Run], tested: Tested, sexes: Mapping[str, str], confidence: float) -> dict[str, Any]:
    """All scores of a model under a protocol, as results/summary/figures.json has them.

    Parameters
    ----------
    runs : sequence of Run
        All folds of the model.
    tested : Tested
        Their test clips, one fold after the other.
    sexes : Mapping
        Speaker to ``female`` or ``male``.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    dict
        ``uar``, ``wa`` and ``f1_macro`` as :func:`written` gives them, ``uar_seeds``, ``uar_folds``, ``restricted`` (the UAR with
        predictions restricted to the emotions that the clip's corpus has) and its gain, ``corpora``, ``classes``, ``sexes``, ``speakers``
        with their median and mean, ``confusion`` (clips, mean over the seeds), ``calibration``, ``noise``, ``weights`` (of a late fusion),
        ``layers`` (of an encoder) and ``reliability``.
    """
    counts, own = tested.counts, _restricted_counts(tested)
    speakers = {str(name): float(tested.of([name]).uars.mean()) for name in np.unique(tested.speakers)}
    return {
        **{name: written(one) for name, one in estimates(counts, confidence).items()},
        "uar_seeds": over_seeds(counts)["uar"].tolist(),
        "uar_folds": {str(run.fold): run.figures["uar"] for run in runs},
        "restricted": written(estimates(own, confidence)["uar"]),
        "restricted_gain": written(differences(own, counts, confidence)["uar"]),
        "corpora": {corpus: _of_corpus(tested.where(tested.corpora == corpus), confidence) for corpus in counts},
        "classes": _of_classes(tested),
        "sexes": _of_sexes(tested, sexes),
        "speakers": speakers,
        "speakers_median": median(speakers.values()),
        "speakers_mean": fmean(speakers.values()),
        "confusion": tested.confusions.mean(0).tolist(),
        "calibration": {key: fmean(run.figures[key] for run in runs) for key in CALIBRATION},
        "noise": _noise(runs),
        "weights": _weights(runs),
        "layers": layers_of({run.fold: run.figures.get("found", []) for run in runs}),
        "reliability": {name: _reliability(runs, scaled=scaled) for name, scaled in (("plain", False), ("scaled", True))},
        "n_test": len(tested),
        "n_test_speakers": len(np.unique(tested.speakers)),
    }


def written(estimate: Estimate) -> dict[str, Any]:
    """An estimate as the files have it, without p."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(estimate).items() if key != "p"}


def restricted(tested: Tested) -> np.ndarray:
    """Predictions, shape (seeds, n), restricted to the emotions of the test clips of the clip's corpus, all folds together."""
    allowed = np.zeros((len(tested), len(tested.classes)), bool)  # (n, classes)
    for corpus in np.unique(tested.corpora):
        own = tested.corpora == corpus
        allowed[np.ix_(own, np.unique(tested.truth[own]))] = True
    return np.where(allowed, tested.probabilities, -1.0).argmax(2)


def _restricted_counts(tested: Tested) -> dict[str, np.ndarray]:
    return per_speaker(tested.truth, restricted(tested), tested.speakers, len(tested.classes))


def _of_corpus(tested: Tested, confidence: float) -> dict[str, Any]:
    found, own = (estimates(one, confidence)["uar"] for one in (tested.counts, _restricted_counts(tested)))
    sizes = {"n_test": len(tested), "n_test_speakers": len(np.unique(tested.speakers)), "n_emotions": len(np.unique(tested.truth))}
    return {"uar": written(found), "restricted": written(own), **sizes}


def _of_classes(tested: Tested) -> dict[str, dict[str, float | None]]:
    """Precision, recall and F1 per emotion of all clips in one count, means over the seeds; None for an emotion without clips."""
    scores = {name: figure(tested.confusions).mean(0) for name, figure in PER_CLASS.items()}  # (classes,) each
    return {
        emotion: {name: None if np.isnan(one[number]) else float(one[number]) for name, one in scores.items()}
        for number, emotion in enumerate(tested.classes)
    }


def _of_sexes(tested: Tested, sexes: Mapping[str, str]) -> dict[str, Any]:
    """UAR on the clips of women and of men, the mean over the corpora that have such clips; None without any."""
    parts = {sex: tested.of([name for name, of in sexes.items() if of == sex]) for sex in ("female", "male")}
    uars = {sex: float(part.uars.mean()) if len(part) else None for sex, part in parts.items()}
    both = {sex: {"n_test_speakers": len(np.unique(part.speakers)), "uar": uars[sex]} for sex, part in parts.items()}
    return {**both, "female_minus_male": None if None in uars.values() else uars["female"] - uars["male"]}


def _noise(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """UAR by kind of noise and SNR in dB, mean over the folds; {} if the model was not tested in noise."""
    given = [run.figures.get("noise") or {} for run in runs]
    return {kind: {snr: fmean(one[kind][snr] for one in given) for snr in curve} for kind, curve in given[0].items()}


def _weights(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """Weight of each member of a late fusion, summed over its seeds: mean over the folds, and of each fold; {} for a trained model."""
    folds: list[dict[str, float]] = []
    for run in runs:
        of_members: dict[str, float] = {}
        for name, weight in run.figures.get("weights", {}).items():  # "MODEL SEED"
            member = name.rsplit(" ", 1)[0]
            of_members[member] = of_members.get(member, 0.0) + weight
        folds.append(of_members)
    return {member: {"mean": fmean(one[member] for one in folds), "folds": [one[member] for one in folds]} for member in folds[0]}


def _reliability(runs: Sequence[Run], *, scaled: bool) -> dict[str, list[float]]:
    """Mean confidence, accuracy and number of clips in each of ten bins, all folds and seeds; `scaled` by each one's temperature."""
    rows, truths = [], []
    for run in runs:
        temperatures = run.figures["temperature_seeds"] if scaled else [1.0] * len(run.tested.probabilities)
        rows += [rescale(given, t) for given, t in zip(run.tested.probabilities, temperatures, strict=True)]
        truths += [run.tested.truth] * len(temperatures)
    found = reliability(np.concatenate(rows), np.concatenate(truths), BINS)
    filled = found.count > 0
    return {name: getattr(found, name)[filled].tolist() for name in ("confidence", "accuracy", "count")}


def cost(runs: Sequence[Run]) -> dict[str, Any]:
    """Parameters and epochs (the minimum and the maximum) and mean times; None for a late fusion, which is not trained.

    ``encoder_params`` is the number of parameters of the encoder that the model is on; None without an encoder.
    """
    figures = [run.figures for run in runs]
    epochs = [number for one in figures for number in one.get("epochs", [])]
    parameters = [one["params"] for one in figures if "params" in one]
    means = {key: _mean(figures, key) for key in ("seconds_per_epoch", "seconds_train", *TIMES, "n_train_speakers")}
    return {
        "params": [min(parameters), max(parameters)] if parameters else None,
        "encoder_params": figures[0].get("encoder_params"),
        "epochs": [min(epochs), max(epochs)] if epochs else None,
        **means,
        "devices": sorted({one["device"] for one in figures if "device" in one}),
    }


def _mean(figures: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = [one[key] for one in figures if key in one]
    return fmean(values) if values else None
