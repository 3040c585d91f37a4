"""The table of stages in docs/architecture.md, generated from dvc.yaml (a test compares them)."""

from pathlib import Path, PurePosixPath

from finser.config.reading import read
from finser.errors import FinserError
from finser.files import write_text
from finser.project import reruns
from finser.project.stages import DVC, Stage, table

BEGIN, END = "<!-- stages:begin -->", "<!-- stages:end -->"
HEAD = "| stage | one job per | does | reads | makes |\n| :-- | :-- | :-- | :-- | :-- |\n"


def update(page: Path) -> None:
    """Replace the tables between the markers of a page by those of dvc.yaml in the current folder.

    Raises
    ------
    FinserError
        The page lacks a marker; it is not changed.
    """
    text = page.read_text(encoding="utf-8")
    for start, stop, content in ((BEGIN, END, markdown()), (reruns.BEGIN, reruns.END, reruns.markdown())):
        before, begin, rest = text.partition(start)
        _, end, after = rest.partition(stop)
        if not (begin and end):
            raise FinserError("no generated table", where=page, expected=f"{start} ... {stop}")
        text = f"{before}{start}\n{content}{stop}{after}"
    write_text(page, text)


def markdown() -> str:
    """Make the table of the stages of dvc.yaml in the current folder, with a line for each."""
    written = read(DVC)
    return HEAD + "".join(_line(stage, written["stages"][name]) for name, stage in table(written).items())


def _line(stage: Stage, entry: dict) -> str:
    """Return the line of a stage: name, axes, description, input data (without its code), and outputs."""
    body = entry.get("do", entry)
    outs = [out for section in ("outs", "metrics", "plots") for out in body.get(section, ())]
    reads = [dep for dep in body.get("deps", ()) if not dep.startswith("src/")]
    cells = [f"`{stage.name}`", ", ".join(stage.axes) or "–", stage.summary, _paths(stage, reads), _paths(stage, outs)]
    return f"| {' | '.join(cells)} |\n"


def _paths(stage: Stage, entries: list) -> str:
    """Return paths with axes in capitals, files of one folder together; ``${item.begin}``, a field of a list, as ``its begin``."""
    names = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
    fields = [f"its `{name[7:-1]}` in dvc.yaml" for name in names if name.startswith("${item.")]
    folders: dict[str, list[str]] = {}
    for path in (PurePosixPath(stage.in_capitals(name)) for name in names if not name.startswith("${item.")):
        folder, file = (path.parent, path.name) if path.suffix else (path, "")
        folders.setdefault("" if str(folder) == "." else f"{folder}/", []).append(file)
    return ", ".join([*fields, *(_together(folder, files) for folder, files in folders.items())]) or "–"


def _together(folder: str, files: list[str]) -> str:
    """Return ``FOLDER/FILE`` for one file, ``FOLDER/{FILE, FILE}`` for several, ``FOLDER/`` for the folder itself."""
    listed = ", ".join(files)
    return f"`{folder}{{{listed}}}`" if len(files) > 1 else f"`{folder}{listed}`"
