"""Outputs under names that params.yaml no longer has: DVC would count them in a folder that is a dependency.

Only a run removes them, only below data/, models/ and results/, and only if DVC's cache holds the same bytes.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

from finser.config.reading import read
from finser.errors import FinserError
from finser.files import checksum, remove
from finser.project.graph import Graph
from finser.project.litter import is_litter

ROOTS = ("data", "models", "results")
OWN = (".snakemake_timestamp", ".gitignore")  # files of Snakemake and DVC, not results


def recorded(graph: Graph) -> dict[str, str]:
    """Return existing outputs that dvc.lock records and that no job of `graph` makes: path -> md5."""
    lock = Path("dvc.lock")
    outs = _outs(lock, Path.cwd(), lock.stat().st_mtime_ns, lock.stat().st_size) if lock.exists() else {}
    return {path: md5 for path, md5 in outs.items() if path not in graph.makers and _removable(path)}


@lru_cache(maxsize=1)
def _outs(lock: Path, *version: object) -> dict[str, str]:
    """Return the outputs in a `version` of dvc.lock: path -> md5. The result is cached, since reading a large file takes 2 s."""
    stages = read(lock).get("stages") or {}
    return {out["path"]: out.get("md5", "") for stage in stages.values() for out in stage.get("outs") or []}


def _removable(path: str) -> bool:
    """Return whether a path exists, and is a plain path below a folder of results."""
    parts = PurePosixPath(path).parts
    return len(parts) > 1 and parts[0] in ROOTS and ".." not in parts and Path(path).exists()


def clear(graph: Graph, below: Iterable[str] = ROOTS) -> list[str]:
    """Remove the outputs that :func:`recorded` finds below some folders; return the paths removed.

    Raises
    ------
    FinserError
        DVC's cache does not hold the same bytes of one of them. Then nothing is removed.
    """
    folders = [PurePosixPath(folder) for folder in below]
    found = {path: md5 for path, md5 in recorded(graph).items() if any(folder in PurePosixPath(path).parents for folder in folders)}
    for path, md5 in found.items():
        if not _in_cache(Path(path), md5):
            raise FinserError(
                "params.yaml no longer names what made it, and DVC's cache does not hold the same bytes",
                where=path,
                do="move it out of the project, or put its name back into params.yaml",
            )
    for path in map(Path, found):
        remove(path)
        _remove_empty(path.parent)
    return list(found)


def _remove_empty(folder: Path) -> None:
    """Remove an empty folder below :data:`ROOTS`, and empty folders above it, which would look like a user's."""
    while len(folder.parts) > 1 and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def clear_and_say(graph: Graph, below: Iterable[str] = ROOTS) -> None:
    """Run :func:`clear`, and print a line on standard error for each path removed."""
    for path in clear(graph, below):
        print(f"removed {path}: params.yaml no longer names what made it; DVC's cache keeps it", file=sys.stderr)


def check(graph: Graph, deps: Iterable[str]) -> None:
    """Raise an error for files that no job makes in the folders that a job reads: DVC would count them as inputs.

    Outputs that :func:`clear` removes, and empty folders, are allowed.

    Raises
    ------
    FinserError
        There is such a file or folder, e.g. of a corpus that was dropped after a stage was run by hand.
    """
    found = unknown(graph, deps)
    dropped = {Path(path) for path in recorded(graph)} if found else set()  # skip dvc.lock if nothing is unknown
    for path in found:
        own = [file for file in _files(path) if dropped.isdisjoint((file, *file.parents))]
        if own:
            raise FinserError("no job makes it, and DVC would count it as an input", where=path, do="move it out of the project")


def unknown(graph: Graph, deps: Iterable[str]) -> list[Path]:
    """Return files and folders in the folders that a job reads that neither are nor contain an output, except those that git tracks."""
    found = [path for dep in deps if dep in graph.below for path in _unknown(graph, Path(dep))]
    return _ignored_by_git(found) if found else []


def _ignored_by_git(paths: list[Path]) -> list[Path]:
    """Return the paths that git ignores, as it does all results, or all paths if git cannot tell; not results/fusions/README.md."""
    command, text = ["git", "check-ignore", "--stdin", "-z"], "".join(f"{path}\0" for path in paths)
    answer = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    ignored = set(answer.stdout.split("\0"))
    return [path for path in paths if answer.returncode > 1 or str(path) in ignored]


def _unknown(graph: Graph, folder: Path) -> Iterator[Path]:
    """Yield files and folders below a folder of outputs that neither are nor contain an output; litter and dotfiles are skipped."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = path.as_posix()
        if name in graph.below:
            yield from _unknown(graph, path)
        elif name not in graph.makers and not path.name.startswith(".") and not is_litter(path):
            yield path


def _in_cache(path: Path, md5: str) -> bool:
    """Return whether the cache holds a file or folder with its present bytes."""
    cache = _cache()
    if not (cache / md5[:2] / md5[2:]).is_file():
        return False
    if not md5.endswith(".dir"):
        return _same_size(path, cache / md5[:2] / md5[2:]) and checksum(path, "md5") == md5
    listed = json.loads((cache / md5[:2] / md5[2:]).read_text(encoding="utf-8"))
    wanted = {entry["relpath"]: entry["md5"] for entry in listed}
    return dict(_md5s(path)) == wanted and all(_same_size(path / name, cache / one[:2] / one[2:]) for name, one in wanted.items())


def _same_size(path: Path, kept: Path) -> bool:
    """Return whether both are files of one size: a truncated file in the cache is no copy."""
    return path.is_file() and kept.is_file() and path.stat().st_size == kept.stat().st_size


def _cache() -> Path:
    """Return the folder of DVC's cache: .dvc/cache, or the one that ``dvc cache dir`` set."""
    from dvc.config import Config  # takes a tenth of a second, and strays are rare

    return Path(Config(dvc_dir=".dvc")["cache"].get("dir") or ".dvc/cache", "files/md5")


def _md5s(folder: Path) -> Iterator[tuple[str, str]]:
    for path in _files(folder):
        yield path.relative_to(folder).as_posix(), checksum(path, "md5")


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or the files of a folder in order, without litter and the engines' own files."""
    for one in [path] if path.is_file() else sorted(path.rglob("*")):
        if one.is_file() and one.name not in OWN and not is_litter(one):
            yield one
