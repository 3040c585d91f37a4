"""Pictures of the FINs: training curves, R2 of every coefficient, and outputs over librosa's values."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.figure import Figure

from finser.report.read import FinResult
from finser.report.styles import COLOURS, xy
from finser.report.tables import FEATURE_TITLES

NINES = (0.0, 0.9, 0.99, 0.999, 0.9999, 0.99999)  # ticks of R2
BEST = 1 - 3e-6  # R2 at the upper edge


def fin_curves(fins: Sequence[FinResult]) -> Figure:
    """R2 on validation frames over training steps, one panel per FIN; equal heights mean equal 1 - R2."""
    figure = Figure(figsize=(10, 2.9), layout="constrained")
    panels = figure.subplots(1, len(fins), sharey=True)
    for panel, fin, colour in zip(np.atleast_1d(panels), fins, COLOURS, strict=False):
        steps, values = xy(fin.history, "r2_validation")
        panel.plot(steps, nines(values), color=colour, linewidth=1.6, marker="o" if len(steps) < 3 else None)
        panel.set_title(FEATURE_TITLES[fin.feature])
        panel.set_xlabel("step")
        panel.set_yticks(nines(NINES), [f"{tick:g}" if tick else "0 or less" for tick in NINES])
        panel.set_ylim(-0.1, nines([BEST])[0])
        panel.locator_params(axis="x", nbins=3)
    np.atleast_1d(panels)[0].set_ylabel("R2, validation frames")
    return figure


def fin_each(fins: Sequence[FinResult]) -> Figure:
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


def fin_scatter(fins: Sequence[FinResult]) -> Figure:
    """Outputs of the FINs over librosa's values on test speakers; the worst value of each of the worst frames is black."""
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
    """-log10(1 - R2), clipped to 0 and the upper edge: .9 is 1, .99 is 2, ..."""
    return -np.log10(1 - np.clip(np.asarray(list(r2), float), 0, BEST))
