"""Style of the pictures: colours for colour-blind readers, and the same bytes for the same picture."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from finser.errors import FinserError
from finser.summary.reading import Curve

# Okabe & Ito (2008); between, for many models, three darker ones of Tol (2021)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#999933", "#666666", "#000000")
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
MARKERS = "osD^vPX<>"


def save(figure: Figure, path: Path) -> None:
    """Write a PNG without version or date, so that equal pictures are equal files."""
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def xy(history: Curve, column: str) -> tuple[np.ndarray, np.ndarray]:
    """The first column and `column`, in the rows where both are numbers."""
    if column not in history.columns:
        raise FinserError(f"no column '{column}'", where=history.path, found=", ".join(history.columns) or "nothing")
    x, y = (np.asarray(values, float) for values in (next(iter(history.columns.values())), history.columns[column]))
    good = np.isfinite(x) & np.isfinite(y)
    return x[good], y[good]


def panels(count: int, columns: int, width: float, height: float, *, share: bool = True) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels in rows of `columns`, with common axes if they `share`; `width` and `height` of one are in inches."""
    columns = min(count, columns)
    rows = -(-count // columns)
    figure = Figure(figsize=(max(width * columns, 3.6), height * rows), layout="constrained")
    every = figure.subplots(rows, columns, sharex=share, sharey=share, squeeze=False).ravel()
    for spare in every[count:]:
        spare.set_visible(False)
    for above in every[count - columns : count]:  # the lowest panel of every column
        above.tick_params(labelbottom=True)
    return figure, list(every[:count])
