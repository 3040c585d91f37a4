"""Print how long a table takes to check, per million rows and relative to reading it as text: `python bench/table.py [ROWS [FILES]]`.

The rows are parts of 2,000 files, or of FILES. They are empty: no recording is opened.
"""

import csv
import sys
import tempfile
import time
from pathlib import Path

from finser.config.sections.fetch import Table
from finser.corpora.tables.listing import check_table
from finser.emotions import EMOTIONS

FILES, SPEAKERS = 2000, 997
LABELS = ("angry", "happy", "sad")


def write(folder: Path, n_rows: int, n_files: int) -> Path:
    """Write a table of `n_rows` parts of `n_files` files, and these files, empty."""
    (folder / "wav").mkdir()
    for number in range(n_files):
        (folder / f"wav/{number}.wav").touch()
    with (folder / "t.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "speaker", "emotion", "sex", "start", "end"])
        for number in range(n_rows):
            start = 1.5 * (number // n_files)
            who = number % SPEAKERS
            rows.writerow([f"wav/{number % n_files}.wav", f"s{who}", LABELS[number % 3], "mf"[who % 2], start, start + 1.25])
    return folder / "t.csv"


def main() -> None:
    """Measure once."""
    n_rows, n_files = (*map(int, sys.argv[1:]), *(1_000_000, FILES)[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory() as name:
        table = write(Path(name), n_rows, n_files)
        begun = time.perf_counter()
        with table.open(newline="") as file:
            assert sum(1 for _ in csv.reader(file)) == n_rows + 1
        read = time.perf_counter() - begun
        begun = time.perf_counter()
        assert check_table(table, table.parent, Table(), "bench", EMOTIONS).clips.num_rows == n_rows
        checked = time.perf_counter() - begun
    per_million = f"{checked * 1e6 / n_rows:.1f} s per million"
    print(f"{n_rows:,} rows of {n_files:,} files: {per_million}; {checked / read:.1f} times as long as reading the text")


if __name__ == "__main__":
    main()
