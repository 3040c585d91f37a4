"""Pictures of the emotion classifiers, over the test clips of all folds. A model has the same colour and marker in all of them."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from finser.report.classifier_tables import layers as found_layers
from finser.report.classifier_tables import learning_curves, noise_curves, speaker_uars
from finser.report.read import Results
from finser.report.styles import COLOURS, MARKERS, panels, xy
from finser.report.tables import PROTOCOL_TITLES, model_title
from finser.summary.reading import Curve
from finser.summary.runs import Run

COLUMNS = 5  # panels in a row
NO_BREAK = "\u00a0"  # a space at which no line ends
NOISES = {
    "white": {"color": COLOURS[0], "marker": "o", "linestyle": "-", "label": "white noise"},
    "babble": {"color": COLOURS[1], "marker": "s", "linestyle": "--", "label": "babble"},
}


def classifier_curves(runs: Sequence[Run]) -> Figure:
    """Loss in training and UAR in validation over epochs; a colour per protocol, a line per fold and seed."""
    figure = Figure(figsize=(9, 2.7), layout="constrained")
    colours = dict(zip(sorted({run.protocol for run in runs}, reverse=True), COLOURS, strict=False))
    pair = figure.subplots(1, 2)
    for panel, column, label in zip(pair, ("train_loss", "validation_uar"), ("loss, training", "UAR, validation"), strict=True):
        for run in runs:
            for epochs, values in of_seeds(run.history, column):
                panel.plot(epochs, values, color=colours[run.protocol], linewidth=1, marker="." if len(epochs) < 3 else None)
        panel.set_xlabel("epoch")
        panel.set_ylabel(label)
        panel.locator_params(axis="x", integer=True, min_n_ticks=1)
    pair[1].set_ylim(bottom=0)
    lines = [Line2D([], [], color=colour, label=PROTOCOL_TITLES[protocol]) for protocol, colour in colours.items()]
    figure.legend(handles=lines, loc="outside right center")
    return figure


def of_seeds(history: Curve, column: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Epochs and a column, for every seed."""
    _, seeds = xy(history, "seed")
    parts = [{name: tuple(np.asarray(values)[seeds == seed]) for name, values in history.columns.items()} for seed in np.unique(seeds)]
    return [xy(Curve(history.path, part), column) for part in parts]


def confusion(counts: np.ndarray, title: str, classes: Sequence[str]) -> Figure:
    """A confusion matrix. The shade is the fraction of the row, the number counts clips; classes that never occur are left out.

    Parameters
    ----------
    counts : np.ndarray
        Mean over the seeds, shape (classes, classes), rows = truth, columns = prediction.
    title : str
        The model and the protocol.
    classes : sequence of str
        The emotions, in the order of the rows.
    """
    shown = np.flatnonzero(counts.sum(0) + counts.sum(1))
    counts = counts[np.ix_(shown, shown)]
    fractions = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.grid(False)
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    for (row, column), number in np.ndenumerate(counts):
        axes.text(column, row, f"{number:,.0f}", ha="center", va="center", color="white" if fractions[row, column] > 0.55 else "black")
    _name_classes(axes, [classes[index] for index in shown])
    axes.set_title(f"{title}\n{counts.sum():,.0f} test clips")
    return figure


def _name_classes(axes: Axes, names: list[str]) -> None:
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("spoken")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def reliabilities(results: Results, protocol: str) -> Figure:
    """Accuracy over confidence in bins, before and after temperature scaling; one panel per model."""
    figure, axes = panels(len(results.models), COLUMNS, 2.0, 2.3)
    for panel, model in zip(axes, results.models, strict=True):
        panel.plot([0, 1], [0, 1], color="#888888", linewidth=0.8)
        for scaled, colour, marker in ((False, COLOURS[1], "o"), (True, COLOURS[0], "s")):
            found = results.figures[protocol][model]["reliability"]["scaled" if scaled else "plain"]
            label = "scaled by its temperature" if scaled else "not scaled"
            points, sizes = (found["confidence"], found["accuracy"]), 120 * np.array(found["count"]) / sum(found["count"])
            panel.plot(*points, color=colour, linewidth=1, label=label, marker=marker, markersize=2)
            panel.scatter(*points, sizes, color=colour, marker=marker, linewidths=0, clip_on=False)
        ticks = ([0, 0.5, 1], ["0", ".5", "1"])
        panel.set_xticks(*ticks)
        panel.set_yticks(*ticks)
        panel.set(xlim=(0, 1), ylim=(0, 1), title=model_title(results, model))
    figure.supxlabel("confidence", fontsize=9)
    figure.supylabel("fraction correct", fontsize=9)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def speakers(results: Results, protocol: str) -> Figure:
    """UAR of every test speaker, sorted, a colour per corpus and a panel per model; the line is the mean of the speakers."""
    titles = {corpus.name: corpus.title for corpus in results.corpora if corpus.name in results.params.pooled}
    colours = dict(zip(titles, COLOURS, strict=False))
    figure, axes = panels(len(results.models), COLUMNS, 2.0, 2.1)
    for panel, model in zip(axes, results.models, strict=True):
        uars = speaker_uars(results, model, protocol)
        places, shades = range(1, len(uars) + 1), [colours[name.split("/")[0]] for name in uars]
        panel.scatter(places, list(uars.values()), s=10, c=shades, linewidths=0)
        panel.axhline(results.figures[protocol][model]["speakers_mean"], color="#888888", linewidth=0.8)
        panel.set(ylim=(0, 1.02), title=model_title(results, model))
        panel.locator_params(axis="x", integer=True, nbins=4)
    figure.supxlabel("test speakers, the worst first", fontsize=9)
    figure.supylabel("UAR", fontsize=9)
    dots = [Line2D([], [], linestyle="", marker="o", markersize=4, color=colours[name], label=title) for name, title in titles.items()]
    figure.legend(handles=dots, loc="outside upper center", ncols=len(dots))
    return figure


def layers(results: Results, protocol: str) -> Figure:
    """Weight of every layer of an encoder, or its validation UAR in a probe: mean, minimum and maximum; a panel per model."""
    given = found_layers(results, protocol)
    figure, axes = panels(len(given), 3, 3.0, 2.5, share=False)
    for panel, (model, one) in zip(axes, given.items(), strict=True):
        title = model_title(results, model)
        (_layer_uars if one["score"] == "validation_uar" else _layer_weights)(panel, one)
        panel.set_title(f"{title}\n{_chosen(one['chosen'])}" if "chosen" in one else title, fontsize=9)
        panel.set(xlabel="layer", xlim=(-0.7, len(one["mean"]) - 0.3))
        panel.locator_params(axis="x", integer=True, min_n_ticks=1)
    return figure


def _layer_weights(panel: Axes, one: Mapping[str, Any]) -> None:
    """Bars with their range, if there are several trainings; the dashed line is the weight of each layer if all were equal."""
    mean = np.array(one["mean"])
    errors = mean - one["low"], one["high"] - mean  # (2, layers)
    panel.bar(range(len(mean)), mean, 0.7, color=COLOURS[0])
    if np.any(errors):
        panel.errorbar(range(len(mean)), mean, errors, color="#000000", linestyle="", elinewidth=0.9, capsize=2)
    panel.axhline(1 / len(mean), color="#666666", linewidth=0.9, linestyle="--")
    panel.set_ylabel("weight")


def _layer_uars(panel: Axes, one: Mapping[str, Any]) -> None:
    """A line with the range as its shade; filled marks at the layers that a fold chose, empty ones at the others."""
    places, chosen = np.arange(len(one["mean"])), set(one["chosen"].values())
    panel.fill_between(places, one["low"], one["high"], color=COLOURS[1], alpha=0.2, linewidth=0)
    panel.plot(places, one["mean"], color=COLOURS[1], linewidth=1.2)
    filled = [COLOURS[1] if place in chosen else "white" for place in places]
    panel.scatter(places, one["mean"], s=22, c=filled, edgecolors=COLOURS[1], linewidths=1, zorder=3)
    panel.set_ylim(0, 1.08 * max(one["high"]))
    panel.set_ylabel("UAR, validation")


def _chosen(layers_of_folds: Mapping[str, int]) -> str:
    """``chosen: 12 (fold 1), 3 (folds 2, 3)``: layers and the folds that chose them, in lines of the width of a panel."""
    folds: dict[int, list[str]] = {}
    for fold, layer in layers_of_folds.items():
        folds.setdefault(layer, []).append(fold)
    said = [f"{layer} (fold{'s' * (len(of) > 1)} {', '.join(of)})" for layer, of in sorted(folds.items())]
    return fill(f"chosen: {', '.join(one.replace(' ', NO_BREAK) for one in said)}", 38)


def noise(results: Results, protocol: str) -> Figure:
    """UAR over the signal-to-noise ratio, a panel per model, white noise solid and babble dashed, clean speech at the right."""
    curves = noise_curves(results, protocol)
    ratios = sorted({snr for curve in curves.values() for _, snr in curve})  # clean speech is the last, infinity
    figure, axes = panels(len(curves), COLUMNS, 2.0, 2.1)
    for panel, (model, curve) in zip(axes, curves.items(), strict=True):
        for kind, look in NOISES.items():
            points = sorted((ratios.index(snr), value) for (of, snr), value in curve.items() if of in (kind, "clean"))
            if any(of == kind for of, _ in curve):
                panel.plot(*zip(*points, strict=True), linewidth=1.2, markersize=4, **look)
        panel.set_xticks(range(len(ratios)), ["clean" if np.isinf(snr) else f"{snr:g}" for snr in ratios])
        panel.set(ylim=(0, 1.02), title=model_title(results, model))
    figure.supxlabel("signal-to-noise ratio, dB", fontsize=9)
    figure.supylabel("UAR", fontsize=9)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(NOISES))
    return figure


def learning(results: Results, protocol: str) -> Figure:
    """UAR with its interval over the number of training speakers; a curve per group of models that differ only in that."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    panel, curves = figure.subplots(), learning_curves(results)
    for curve in curves:
        points = [results.figures[protocol][model]["uar"] for model in curve]
        uars = np.array([one["value"] if one["centre"] is None else one["centre"] for one in points])  # the centre of the interval
        low, high = ([uar if one[end] is None else one[end] for uar, one in zip(uars, points, strict=True)] for end in ("low", "high"))
        errors = uars - low, high - uars  # (2, points)
        x = [results.costs[protocol][model]["n_train_speakers"] for model in curve]
        panel.errorbar(x, uars, errors, linewidth=1.3, elinewidth=0.9, capsize=3, markersize=4.5, **_look(results, curve[-1]))
    panel.set(xlabel="training speakers, mean over the folds", ylabel="UAR", ylim=(0, None), xlim=(0, None))
    panel.locator_params(axis="x", integer=True)
    figure.legend(handles=_key(results, [curve[-1] for curve in curves]), loc="outside right center")
    return figure


def _look(results: Results, model: str) -> dict[str, str]:
    """Colour and marker of a model, the same in all pictures; up to 90 models differ in one of them."""
    place = results.models.index(model)
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)]}


def _key(results: Results, models: Sequence[str]) -> list[Line2D]:
    return [Line2D([], [], markersize=4.5, linewidth=1.2, label=model_title(results, model), **_look(results, model)) for model in models]
