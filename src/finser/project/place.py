"""Checks that finser may run in the current folder."""

import time
from pathlib import Path

import finser
from finser.errors import FinserError

FOLDERS = ("data", "models", "results")
LOOKS = 12  # at dvc.lock


def check_root() -> None:
    """Raise an error outside a project."""
    if not Path("dvc.yaml").exists():
        raise FinserError("no dvc.yaml here", where=Path.cwd(), do="run in the project's root")


def check_place() -> None:
    """Raise an error in a folder whose results would be recorded wrongly or not at all.

    Raises
    ------
    FinserError
        The folder is no project, the code is another copy's, or data/, models/, results/ or a folder in them is a link that leaves the
        project.
    """
    check_root()
    check_code()
    root = Path.cwd()
    folders = [path for name in FOLDERS for depth in ("", "/*", "/*/*") for path in sorted(Path().glob(name + depth)) if path.is_dir()]
    for path in folders:
        target = path.resolve()
        if path.is_symlink() and not target.is_relative_to(root.resolve()):
            raise FinserError(
                f"a link to {target}, which DVC cannot record",
                where=path,
                expected="a folder of the project",
                do="move DVC's cache to the other disk instead: dvc cache dir PATH, and dvc config cache.type symlink",
            )


def check_git() -> None:
    """Raise an error in a folder where DVC would not run, such as an unpacked archive."""
    root = Path.cwd()
    if not any((folder / ".git").exists() for folder in (root, *root.parents)) and not _without_git(root):
        raise FinserError("no git repository here, and DVC works in one only", where=root, do="run: git init")


def check_lock() -> None:
    """Raise an error if a full disk or a kill has cut dvc.lock short: DVC writes it in place."""
    lock = Path("dvc.lock")
    for _ in range(LOOKS):
        if _is_whole(lock):
            return
        time.sleep(3 / LOOKS)  # a DVC that runs may be writing it
    do = "git checkout dvc.lock, or remove it, and run again: DVC restores results from its cache"
    raise FinserError("cut short: the disk was full, or DVC was killed, while DVC wrote it", where=lock, do=do)


def _is_whole(path: Path) -> bool:
    """Return whether a file ends with a line break, or does not exist."""
    return not path.exists() or path.read_bytes().endswith(b"\n")


def check_code() -> None:
    """Raise an error if the running code is that of another copy of the project: DVC records the code of this copy."""
    here, runs = Path("src/finser").resolve(), Path(finser.__file__).resolve().parent
    if here.is_dir() and here != runs:
        raise FinserError("the code of another copy of the project", where=runs, expected=here, do="run workflow/finser")


def _without_git(root: Path) -> bool:
    """Return whether DVC is configured to run without git (``dvc config core.no_scm true``)."""
    files = (root / ".dvc/config", root / ".dvc/config.local")
    return any("no_scm = true" in file.read_text(encoding="utf-8").lower() for file in files if file.exists())
