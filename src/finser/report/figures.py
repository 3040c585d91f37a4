"""The pictures of the page: explicit matplotlib figures, colours that colour-blind readers tell apart, bytes that repeat."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from finser.emotions import EMOTIONS
from finser.errors import FinserError
from finser.report.collect import Curve, Fin, Results, Run
from finser.report.tables import FEATURE_TITLES, FLOOR, MODEL_TITLES, PROTOCOL_TITLES, summed

# Okabe & Ito (2008)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "legend.frameon": False,
}
DPI = 150
NINES = (0.0, 0.9, 0.99, 0.999, 0.9999, 0.99999)  # ticks of R2
BEST = 1 - 3e-6  # R2 at the upper edge


def draw(results: Results, folder: Path) -> None:
    """Write every figure of the page into `folder`."""
    with rc_context(STYLE):
        for name, figure in _figures(results):
            save(figure, folder / f"{name}.png")


def save(figure: Figure, path: Path) -> None:
    """Write a PNG without version or date, so that equal figures are equal files."""
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def confusion_name(model: str, protocol: str) -> str:
    """Name of a confusion matrix, without suffix."""
    return f"confusion_{model}_{protocol}"


def curves_name(model: str) -> str:
    """Name of a network's training curves, without suffix."""
    return f"training_{model}"


def networks(results: Results) -> list[str]:
    """Models that have a training curve: all but the floor."""
    return [model for model in results.params.models if model != FLOOR]


def _figures(results: Results) -> Iterator[tuple[str, Figure]]:
    yield "fins", fin_curves(results.fins)
    yield "fins_each", fin_each(results.fins)
    yield "fins_scatter", fin_scatter(results.fins)
    for protocol in results.params.protocols:
        for model in results.params.models:
            title = f"{MODEL_TITLES[model]}, {PROTOCOL_TITLES[protocol]}"
            yield confusion_name(model, protocol), confusion(summed(results.of(model, protocol)), title)
    for model in networks(results):
        yield curves_name(model), classifier_curves([run for run in results.runs if run.model == model])


def fin_curves(fins: Sequence[Fin]) -> Figure:
    """R2 on validation frames over training steps, one panel per FIN; equal heights mean equal 1 - R2."""
    figure = Figure(figsize=(10, 2.9), layout="constrained")
    panels = figure.subplots(1, len(fins), sharey=True)
    for panel, fin, colour in zip(np.atleast_1d(panels), fins, COLOURS, strict=False):
        steps, values = _xy(fin.history, "r2_validation")
        panel.plot(steps, nines(values), color=colour, linewidth=1.6, marker="o" if len(steps) < 3 else None)
        panel.set_title(FEATURE_TITLES[fin.feature])
        panel.set_xlabel("step")
        panel.set_yticks(nines(NINES), [f"{tick:g}" if tick else "0 or less" for tick in NINES])
        panel.set_ylim(-0.1, nines([BEST])[0])
        panel.locator_params(axis="x", nbins=3)
    np.atleast_1d(panels)[0].set_ylabel("R2, validation frames")
    return figure


def fin_each(fins: Sequence[Fin]) -> Figure:
    """R2 on test speakers' frames of every coefficient, one panel per FIN that has several; equal heights mean equal 1 - R2."""
    several = [fin for fin in fins if len(fin.figures["r2_test_each"]) > 1]
    figure = Figure(figsize=(10, 2.5), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(several), sharey=True))
    for panel, fin in zip(panels, several, strict=True):
        each = nines(fin.figures["r2_test_each"])
        panel.plot(range(len(each)), each, color=COLOURS[fins.index(fin)], linewidth=1.2, marker="." if len(each) < 50 else None)
        panel.set_title(FEATURE_TITLES[fin.feature] + (", dB" if fin.feature == "mel" else ""))
        panel.set_xlabel("coefficient")
        panel.set_yticks(nines(NINES), [f"{tick:g}" if tick else "0 or less" for tick in NINES])
        panel.set_ylim(-0.1, nines([BEST])[0] + 0.1)
        panel.locator_params(axis="x", integer=True)
    panels[0].set_ylabel("R2, test speakers")
    return figure


def fin_scatter(fins: Sequence[Fin]) -> Figure:
    """What FINs give over what librosa gives, for values of test speakers' frames; the worst value of each of the worst frames in black."""
    figure = Figure(figsize=(10, 2.5), layout="constrained")
    panels = figure.subplots(1, len(fins))
    for panel, fin, colour in zip(np.atleast_1d(panels), fins, COLOURS, strict=False):
        values = [row for row in fin.frames.to_pylist() if row["kind"] == "value"]
        for rows, style in (
            (values, {"color": colour, "s": 4, "alpha": 0.4}),
            (fin.worst(), {"color": COLOURS[-1], "s": 16, "marker": "x"}),
        ):
            panel.scatter([row["true"] for row in rows], [row["predicted"] for row in rows], linewidths=0.9, **style)
        panel.axline((values[0]["true"], values[0]["true"]), slope=1, color="#888888", linewidth=0.6)
        panel.set_title(FEATURE_TITLES[fin.feature] + (", dB" if fin.feature == "mel" else ""))
        panel.set_xlabel("librosa")
        panel.locator_params(nbins=4)
    np.atleast_1d(panels)[0].set_ylabel("FIN")
    return figure


def nines(r2: Iterable[float]) -> np.ndarray:
    """-log10(1 - R2), held between 0 and the upper edge: .9 is 1, .99 is 2, ..."""
    return -np.log10(1 - np.clip(np.asarray(list(r2), float), 0, BEST))


def classifier_curves(runs: Sequence[Run]) -> Figure:
    """Loss in training and UAR in validation over epochs; a colour per protocol, a line style per fold."""
    figure = Figure(figsize=(9, 3.1), layout="constrained")
    panels = figure.subplots(1, 2)
    protocols = sorted({run.protocol for run in runs}, reverse=True)
    for panel, column, label in zip(panels, ("train_loss", "validation_uar"), ("loss, training", "UAR, validation"), strict=True):
        for run in runs:
            epochs, values = _xy(run.history, column)
            name = f"{PROTOCOL_TITLES[run.protocol]}, fold {run.fold}"
            style = ("-", "--", ":", "-.")[(run.fold - 1) % 4]
            panel.plot(epochs, values, style, color=COLOURS[protocols.index(run.protocol)], linewidth=1.4, label=name)
        panel.set_xlabel("epoch")
        panel.set_ylabel(label)
        panel.locator_params(axis="x", integer=True)
    panels[1].set_ylim(bottom=0)
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside right center")
    return figure


def confusion(counts: np.ndarray, title: str) -> Figure:
    """A confusion matrix: shade = share of the row, number = clips; classes that never occur are left out.

    Parameters
    ----------
    counts : np.ndarray
        Shape (8, 8), rows = truth, columns = prediction, in the order of ``EMOTIONS``.
    """
    shown = np.flatnonzero(counts.sum(0) + counts.sum(1))
    counts = counts[np.ix_(shown, shown)]
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.grid(False)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), number in np.ndenumerate(counts):
        axes.text(column, row, f"{number:,}", ha="center", va="center", color="white" if shares[row, column] > 0.55 else "black")
    _name_classes(axes, [EMOTIONS[index] for index in shown])
    axes.set_title(f"{title}\n{counts.sum():,} test clips")
    return figure


def _name_classes(axes: Axes, names: list[str]) -> None:
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("spoken")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _xy(history: Curve, column: str) -> tuple[np.ndarray, np.ndarray]:
    """First column against `column`, where both are numbers."""
    if column not in history.columns:
        raise FinserError(f"no column '{column}'", where=history.path, found=", ".join(history.columns) or "nothing")
    x, y = (np.asarray(values, float) for values in (next(iter(history.columns.values())), history.columns[column]))
    good = np.isfinite(x) & np.isfinite(y)
    return x[good], y[good]
