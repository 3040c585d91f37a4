"""All pictures of the page with their file names."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from finser.report import classifier_figures as emotion_figures
from finser.report import fin_figures
from finser.report.classifier_tables import layers, learning_curves, noise_curves
from finser.report.groups import grouped
from finser.report.read import Results
from finser.report.styles import STYLE, save
from finser.report.tables import PROTOCOL_TITLES, model_title


def draw(results: Results, folder: Path) -> None:
    """Write every picture of the page into `folder`."""
    with rc_context(STYLE):
        for name, figure in _figures(results):
            save(figure, folder / f"{name}.png")


def confusion_name(model: str, protocol: str) -> str:
    """File name of a confusion matrix, without suffix."""
    return f"confusion_{model}_{protocol}"


def curves_name(model: str) -> str:
    """File name of a network's training curves, without suffix."""
    return f"training_{model}"


def networks(results: Results) -> list[str]:
    """Return the models with a training curve: those that are trained in epochs."""
    params = results.params
    return [model for model in grouped(params, params.models) if params.classifiers[model].by_gradient]


def _figures(results: Results) -> Iterator[tuple[str, Figure]]:
    yield "fins", fin_figures.fin_curves(results.fins)
    yield "fins_each", fin_figures.fin_each(results.fins)
    yield "fins_scatter", fin_figures.fin_scatter(results.fins)
    for protocol in results.params.protocols:
        yield from _of_protocol(results, protocol)
    for model in networks(results):
        yield curves_name(model), emotion_figures.classifier_curves([run for run in results.runs if run.model == model])


def _of_protocol(results: Results, protocol: str) -> Iterator[tuple[str, Figure]]:
    for model in results.models:
        title = f"{model_title(results, model)}, {PROTOCOL_TITLES[protocol]}"
        counts = np.array(results.figures[protocol][model]["confusion"])
        yield confusion_name(model, protocol), emotion_figures.confusion(counts, title, results.params.emotions)
    yield f"reliability_{protocol}", emotion_figures.reliabilities(results, protocol)
    yield f"speakers_{protocol}", emotion_figures.speakers(results, protocol)
    if layers(results, protocol):
        yield f"layers_{protocol}", emotion_figures.layers(results, protocol)
    if noise_curves(results, protocol):
        yield f"noise_{protocol}", emotion_figures.noise(results, protocol)
    if learning_curves(results):
        yield f"learning_{protocol}", emotion_figures.learning(results, protocol)
