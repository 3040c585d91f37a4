"""Differences of two models on the same test clips, paired by speaker, with p values corrected for the number of comparisons."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from finser.config.params import Params
from finser.errors import FinserError
from finser.scores.intervals import differences, holm, over_seeds
from finser.summary.figures import written
from finser.summary.runs import AGAIN, Tested

BASELINE = "svm"


def baseline(params: Params) -> str | None:
    """The baseline, which every model is compared with: the section svm, if it is in `models` and is an SVM."""
    return BASELINE if BASELINE in params.models and params.classifiers[BASELINE].model == "svm" else None


def baseline_of(params: Params, model: str) -> str | None:
    """The baseline of a model, if that is another model, tested on the same corpora; else None."""
    found = baseline(params)
    return found if found and found != model and params.corpora_of(found) == params.corpora_of(model) else None


def pairs_of(params: Params) -> list[tuple[str, str]]:
    """Every model with the baseline, and the pairs of ``summarise.pairs``; (a, b) and (b, a) are one comparison."""
    models = (*params.models, *params.fusions)
    with_baseline = [(model, against) for model in models if (against := baseline_of(params, model))]
    found: dict[frozenset[str], tuple[str, str]] = {}
    for pair in (*with_baseline, *params.pairs):
        found.setdefault(frozenset(pair), pair)
    return list(found.values())


def compare(tested: Mapping[str, Tested], pairs: Sequence[tuple[str, str]], confidence: float) -> dict[str, dict[str, Any]]:
    """Differences of UAR of some pairs of models.

    Parameters
    ----------
    tested : Mapping
        Model -> its test clips of all folds.
    pairs : sequence of tuple
        A model, and the model that it is compared with.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    dict
        ``A - B`` -> ``model``, ``against``, ``uar``, ``uar_against``, the estimate of the difference as
        :func:`finser.summary.figures.written` gives it, ``p``, and ``p_holm``, corrected for all pairs by Holm's method.

    Raises
    ------
    FinserError
        Two models were tested on different clips.
    """
    counts = {name: one.counts for name, one in tested.items()}
    uars = {name: float(over_seeds(one)["uar"].mean()) for name, one in counts.items()}
    rows = {}
    for a, b in pairs:
        check_same_clips(a, tested[a], b, tested[b])
        found = differences(counts[a], counts[b], confidence)["uar"]
        uar = {"uar": uars[a], "uar_against": uars[b]}
        rows[f"{a} - {b}"] = {"model": a, "against": b, **uar, **written(found), "p": found.p}
    for row, corrected in zip(rows.values(), holm([row["p"] for row in rows.values()]), strict=True):
        row["p_holm"] = corrected
    return rows


def check_same_clips(a: str, one: Tested, b: str, other: Tested) -> None:
    """Raise :class:`FinserError` if two models were tested on different clips."""
    if not np.array_equal(one.clip_ids, other.clip_ids):
        what = f"{a} and {b} were tested on different clips, so they cannot be compared"
        raise FinserError(what, expected=f"{len(one)} clips of {a}", found=f"{len(other)} of {b}", do=AGAIN)
