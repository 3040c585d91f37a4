"""The stage `summarise`: all scores of the classifiers that the report shows, and comparisons of models."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from finser import layout
from finser.config.params import Params
from finser.files import write_json
from finser.progress import say
from finser.summary.comparisons import compare, pairs_of
from finser.summary.figures import cost, of_model
from finser.summary.reading import read_columns
from finser.summary.runs import Run, check_corpora, read_fusion, read_run, together


def summarise(params: Params) -> None:
    """Write results/summary/: figures.json and costs.json (protocol -> model -> ...), comparisons.json (protocol -> pair -> ...).

    Costs have a file of their own: they hold seconds, and the bytes of the scores must not depend on the clock.
    """
    made = documents(params, read_runs(params))
    for path, document in made.items():
        write_json(path, document)
    rows, pairs = (sum(map(len, made[path].values())) for path in (layout.summary(), layout.comparisons()))
    say(f"{rows} rows of scores, {pairs} comparisons")


def documents(params: Params, runs: Sequence[Run]) -> dict[Path, dict[str, dict]]:
    """Contents of the files of results/summary/: protocol -> model or pair -> values."""
    sexes, confidence, figures, comparisons, costs = sexes_of(params), params.evaluate_classifier.confidence, {}, {}, {}
    for protocol in params.protocols:
        folds = {
            model: [run for run in runs if (run.model, run.protocol) == (model, protocol)] for model in (*params.models, *params.fusions)
        }
        tested = {model: together([run.tested for run in of_one]) for model, of_one in folds.items()}
        figures[protocol] = {model: of_model(of_one, tested[model], sexes, confidence) for model, of_one in folds.items()}
        costs[protocol] = {model: cost(of_one) for model, of_one in folds.items()}
        comparisons[protocol] = compare(tested, pairs_of(params), confidence)
    return {layout.summary(): with_gap(figures), layout.comparisons(): comparisons, layout.costs(): costs}


def read_runs(params: Params) -> tuple[Run, ...]:
    """Read every classifier and fusion of `params`, on every protocol and fold.

    Raises
    ------
    FinserError
        A result is missing or not readable, lacks a key, or contradicts another one.
    """
    runs = (
        *(read_run(params, *one) for one in product(params.models, params.protocols, params.folds)),
        *(read_fusion(params, *one) for one in product(params.fusions, params.protocols, params.folds)),
    )
    for run in runs:
        check_corpora(run, params.corpora_of(run.model))
    return runs


def sexes_of(params: Params) -> dict[str, str]:
    """Speaker -> ``female`` or ``male``, of the pooled corpora."""
    tables = [read_columns(layout.clips(corpus), ["speaker", "sex"]) for corpus in params.pooled]
    return {row["speaker"]: row["sex"] for table in tables for row in table.to_pylist()}


def with_gap(figures: Mapping[str, Mapping[str, dict[str, Any]]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Add ``leak`` to ``random``: its UAR minus that of ``speaker``."""
    result = {protocol: dict(models) for protocol, models in figures.items()}
    if {"random", "speaker"} <= result.keys():
        for model, one in result["random"].items():
            one["leak"] = one["uar"]["value"] - result["speaker"][model]["uar"]["value"]
    return result
