"""Tables as plain lines of text, formatted by rich."""

import re
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table

WIDE = 10_000  # characters: lines are never wrapped


def align(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table; columns of numbers are aligned to the right."""
    cells = [[text(value) for value in row] for row in rows]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if _are_numbers([row[number] for row in cells]) else "left", no_wrap=True)
    for row in cells:
        table.add_row(*row)
    console = Console(file=StringIO(), width=WIDE, color_system=None, markup=False, emoji=False, highlight=False)
    console.print(table)
    for line in console.file.getvalue().splitlines():
        yield line.rstrip()


def text(value: object) -> str:
    """Format a float with four digits; other values as they are."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _are_numbers(cells: Sequence[str]) -> bool:
    return bool(cells) and all(re.fullmatch(r"[-+.\de]+|-?inf|nan", cell) for cell in cells)
