"""`finser readme`: copy the summary of results/report.md into README.md."""

from pathlib import Path

from finser.errors import FinserError
from finser.files import write_text

RESULTS = ("<!-- results:begin -->", "<!-- results:end -->")
SUMMARY = ("<!-- summary:begin -->", "<!-- summary:end -->")


def update(readme: Path, report: Path) -> None:
    """Replace the text between the markers ``results`` of `readme` by the text between the markers ``summary`` of `report`.

    Raises
    ------
    FinserError
        A file or a marker is missing; `readme` is then unchanged.
    """
    text = _read(readme, "it is part of the project: git checkout README.md")
    _, summary, _ = _cut(_read(report, "make it first: make report"), SUMMARY, report)
    before, _, after = _cut(text, RESULTS, readme)
    write_text(readme, f"{before}{RESULTS[0]}\n{summary.strip()}\n{RESULTS[1]}{after}")


def _cut(text: str, markers: tuple[str, str], path: Path) -> tuple[str, str, str]:
    """The text before, between and after the two markers."""
    begin, end = markers
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(end) < text.index(begin):
        raise FinserError("the two markers are not in it once each and in this order", where=path, expected=f"{begin} ... {end}")
    before, rest = text.split(begin)
    between, after = rest.split(end)
    return before, between, after


def _read(path: Path, do: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FinserError("no such file", where=path, do=do) from None
