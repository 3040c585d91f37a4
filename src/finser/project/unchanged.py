"""Check that the inputs of a stage do not change while it runs: DVC records them as they are at its end."""

import os
from collections.abc import Iterator
from pathlib import Path

from finser.errors import FinserError
from finser.files import checksum, read_json
from finser.project.graph import LIBRARIES, Graph
from finser.project.litter import is_litter

Snapshot = dict[str, object]


def snapshot(stage: str, values: tuple[str, ...]) -> Snapshot:
    """Return the parameters, code and inputs of one job, as DVC will record them.

    Parameters
    ----------
    stage : str
        A stage of dvc.yaml.
    values : tuple of str
        Its item, e.g. ``("ravdess",)``.

    Returns
    -------
    dict
        ``params.yaml: KEY`` -> value, library -> version, and path -> SHA-256 of a source file, size and time of any other file.
    """
    graph = Graph()
    item = dict(zip(graph.axes(stage), values, strict=True))
    seen: Snapshot = {f"params.yaml: {key}": value for key, value in graph.parameters(stage, item).items()}
    seen |= {f"{LIBRARIES}: {name}": version for name, version in graph.libraries(stage).items()}
    for dep in graph.paths(stage, item, "deps"):
        for path in [found for file in _files(Path(dep)) for found in (file, *_listed(file))]:
            seen[str(path)] = checksum(path) if path.parts[0] in ("src", "params.yaml") else _stamp(path)
    return seen


def check(before: Snapshot, stage: str, values: tuple[str, ...]) -> None:
    """Raise an error if a job's parameters, code or inputs have changed since its start.

    Raises
    ------
    FinserError
        Something was edited while the stage ran. The command then fails, so that DVC does not record its outputs.
    """
    try:
        after = snapshot(stage, values)
    except (FinserError, KeyError, ValueError) as error:
        raise _refusal(stage, f"params.yaml or dvc.yaml ({error})") from None
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise _refusal(stage, ", ".join(changed[:3]) + more)


def _refusal(stage: str, what: str) -> FinserError:
    return FinserError(f"{stage}: changed while it ran: {what}", do="its result is not recorded; run it again")


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or the files below a folder that DVC tracks; nothing for a missing path."""
    if path.is_file():
        yield path
    for folder, _, names in os.walk(path):
        if "__pycache__" not in folder and ".partial-" not in folder:
            paths = (Path(folder) / name for name in sorted(names) if not name.startswith("."))
            yield from (path for path in paths if not is_litter(path))


def _listed(path: Path) -> list[Path]:
    """Return the files whose checksums a dependency lists: those below data/pool, and config.json of a prepared classifier.

    The job reads these files, too.
    """
    parts = path.parts
    if parts[:2] == ("data", "pool"):
        names = read_json(path)
    elif parts[:2] == ("models", "initial") and len(parts) == 4 and path.name == "config.json":
        names = read_json(path).get("reads", {})
    else:
        return []
    return [found for found in map(Path, names) if found.is_file()]


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
