"""The stage `summarise`: every number about the classifiers that the report shows, and the comparisons of models."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from finser import layout
from finser.files import write_json
from finser.params import Params
from finser.progress import say
from finser.summary.comparisons import compare, pairs_of
from finser.summary.figures import cost, of_model
from finser.summary.reading import read_columns
from finser.summary.runs import Run, check_corpora, read_fusion, read_run, together


def summarise(params: Params) -> None:
    """Step: results/summary/ with figures.json, costs.json (both: protocol -> model -> ...) and comparisons.json (protocol -> pair -> ...).

    Costs stand apart: they hold seconds, and the bytes of the figures must not depend on the clock.
    """
    runs = read_runs(params)
    figures, comparisons = computed(params, runs)
    write_json(layout.summary(), figures)
    write_json(layout.comparisons(), comparisons)
    write_json(
        layout.costs(), {protocol: {model: cost(folds) for model, folds in of.items()} for protocol, of in by_model(params, runs).items()}
    )
    say(f"{sum(map(len, figures.values()))} rows of figures, {sum(map(len, comparisons.values()))} comparisons")


def by_model(params: Params, runs: Sequence[Run]) -> dict[str, dict[str, list[Run]]]:
    """Protocol -> model -> its folds."""
    models = (*params.models, *params.fusions)
    return {
        protocol: {model: [run for run in runs if (run.model, run.protocol) == (model, protocol)] for model in models}
        for protocol in params.protocols
    }


def computed(params: Params, runs: Sequence[Run]) -> tuple[dict[str, dict], dict[str, dict]]:
    """What figures.json and comparisons.json hold."""
    sexes, confidence, figures, comparisons = sexes_of(params), params.evaluate_classifier.confidence, {}, {}
    for protocol, runs_of in by_model(params, runs).items():
        tested = {model: together([run.tested for run in folds]) for model, folds in runs_of.items()}
        figures[protocol] = {model: of_model(folds, tested[model], sexes, confidence) for model, folds in runs_of.items()}
        comparisons[protocol] = compare(tested, pairs_of(params), confidence)
    return with_gap(figures), comparisons


def read_runs(params: Params) -> tuple[Run, ...]:
    """Every classifier and fusion that `params` names, on every protocol and fold.

    Raises
    ------
    FinserError
        A result is missing, is not readable, lacks a key, or contradicts another.
    """
    runs = (
        *(read_run(params, *one) for one in product(params.models, params.protocols, params.folds)),
        *(read_fusion(*one) for one in product(params.fusions, params.protocols, params.folds)),
    )
    for run in runs:
        check_corpora(run, params.corpora_of(run.model))
    return runs


def sexes_of(params: Params) -> dict[str, str]:
    """Speaker to ``female`` or ``male``, of the corpora that classifiers learn from."""
    tables = [read_columns(layout.clips(corpus), ["speaker", "sex"]) for corpus in params.pooled]
    return {row["speaker"]: row["sex"] for table in tables for row in table.to_pylist()}


def with_gap(figures: Mapping[str, Mapping[str, dict[str, Any]]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Add ``leak`` under ``random``: how much the UAR is above that under ``speaker``."""
    result = {protocol: dict(models) for protocol, models in figures.items()}
    if {"random", "speaker"} <= result.keys():
        for model, one in result["random"].items():
            one["leak"] = one["uar"]["value"] - result["speaker"][model]["uar"]["value"]
    return result
