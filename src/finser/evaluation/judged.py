"""Classifiers' predictions for a part of a split: metrics with confidence intervals, calibration, the table of predictions."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from finser.features.examples import Examples
from finser.scores import calibration
from finser.scores.intervals import covered_by_intervals, estimates, over_seeds, per_speaker
from finser.scores.predictions import probability_columns


@dataclass(frozen=True)
class Judged:
    """A part of a split with predicted probabilities.

    Attributes
    ----------
    examples : Examples
        Examples of the part.
    probabilities : np.ndarray
        Float64, shape (seeds, n, classes).
    """

    examples: Examples
    probabilities: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """Return the predicted class numbers, shape (seeds, n)."""
        return self.probabilities.argmax(2)

    @property
    def counts(self) -> dict[str, np.ndarray]:
        """Return confusion matrices of each corpus and speaker; see :func:`finser.scores.intervals.per_speaker`."""
        return per_speaker(self.examples.targets, self.predicted, np.array(self.examples.speakers), len(self.examples.classes))


def figures_of_merit(test: Judged, confidence: float) -> dict:
    """Return UAR, WA and macro-F1, averaged over corpora and seeds, with confidence intervals.

    Each interval comes with its centre and with the corpora that it covers. Its bounds are None if no corpus has enough test speakers, or
    if all speakers have equal scores; see :mod:`finser.scores.intervals`.
    """
    counts = test.counts
    found, seeds = estimates(counts, confidence), over_seeds(counts)
    result: dict = {name: one.value for name, one in found.items()}
    for name, one in found.items():
        result[f"{name}_ci_low"], result[f"{name}_ci_high"], result[f"{name}_ci_centre"] = one.low, one.high, one.centre
    of_seeds = {f"{name}_seeds": seeds[name].tolist() for name in ("uar", "wa")}
    return {**result, "interval_corpora": covered_by_intervals(counts), **of_seeds}


def uar_of(judged: Judged) -> float:
    """Return the UAR of a part, averaged over corpora and seeds."""
    return float(over_seeds(judged.counts)["uar"].mean())


def calibration_of(validation: Judged, test: Judged) -> dict:
    """Return expected calibration error and NLL on test clips, before and after temperature scaling; means over the seeds.

    Temperatures are fitted on the validation part. An emotion without training clips has probability 0 before and after scaling, so
    validation clips of it are left out of the fit.
    """
    rows = []
    for fitted, given in zip(validation.probabilities, test.probabilities, strict=True):
        t = calibration.temperature_of(fitted, validation.examples.targets)
        scaled, targets = calibration.rescale(given, t), test.examples.targets
        ece, nll = calibration.expected_calibration_error, calibration.nll
        rows.append([t, ece(given, targets), ece(scaled, targets), nll(given, targets), nll(scaled, targets)])
    names = ("temperature", "ece", "ece_scaled", "nll", "nll_scaled")
    return {**dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True)), "temperature_seeds": [t for t, *_ in rows]}


def predictions_table(judged: Judged, seeds_: tuple[int, ...]) -> pa.Table:
    """Return one row per clip and seed, sorted by seed and clip_id.

    Columns are clip_id, speaker, emotion, predicted, p_EMOTION for each class, and seed.
    """
    examples, classes, tables = judged.examples, judged.examples.classes, []
    for seed, probabilities in zip(seeds_, judged.probabilities, strict=True):
        columns = {
            "clip_id": examples.clip_ids,
            "speaker": examples.speakers,
            "emotion": [classes[target] for target in examples.targets],
            "predicted": [classes[best] for best in probabilities.argmax(1)],
            **dict(zip(probability_columns(classes), probabilities.T, strict=True)),
            "seed": pa.array([seed] * len(examples), pa.int64()),
        }
        tables.append(pa.table(columns).sort_by("clip_id"))
    return pa.concat_tables(tables)
